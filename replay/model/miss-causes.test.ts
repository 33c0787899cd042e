import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withSettings } from '../hardware/profiles.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { createMachine } from './create-machine.ts';
import { REPLACEMENT } from './replacement.ts';
import { NaiveSets, names } from './testing/reference-caches.ts';

/** Pages of 4 KiB below 0x200, a 2 MiB leaf from 0x200 on: everything is mapped in both domains. */
const LARGE = 0x200;
const orderOf = (page: number): number => (page >= LARGE ? 9 : 0);

interface Causes {
  compulsory: number;
  capacity: number;
  conflict: number;
  invalidation: number;
}

/** The cache twice, with and without sets, and what became of each translation, in a map by name. */
class Reference {
  readonly #cache: NaiveSets;
  readonly #shadow: NaiveSets;
  readonly #lost = new Map<string, string>();
  readonly causes: Causes = { compulsory: 0, capacity: 0, conflict: 0, invalidation: 0 };
  readonly invalidatedBy: { [kind: string]: number } = {};
  hits = 0;

  constructor(sets: number, ways: number, replacement: number, refillInvalidFirst: boolean) {
    const geometry = { index: 0, replacement, seed: 0, refillInvalidFirst };
    this.#cache = new NaiveSets({ ...geometry, banks: [{ sets, ways, fromOrder: 0 }] });
    this.#shadow = new NaiveSets({ ...geometry, banks: [{ sets: 1, ways: sets * ways, fromOrder: 0 }] });
  }

  access(domain: number, page: number): void {
    const order = orderOf(page);
    const entry = { tag: domain, domain, pasid: -1, order, page: page - (page % 2 ** order), out: 0 };
    const held = this.#cache.lookup(domain, page) !== undefined;
    const shadowed = this.#shadow.lookup(domain, page) !== undefined;
    if (!shadowed) this.#shadow.insert(entry);
    if (held) {
      this.hits++;
      return;
    }
    const name = `${domain} ${entry.page}`;
    const lost = this.#lost.get(name);
    if (lost === undefined) this.causes.compulsory++;
    else if (lost !== '') {
      this.causes.invalidation++;
      this.invalidatedBy[lost] = (this.invalidatedBy[lost] ?? 0) + 1;
    } else if (shadowed) this.causes.conflict++;
    else this.causes.capacity++;
    this.#cache.insert(entry);
    this.#lost.set(name, '');
  }

  drop(kind: string, gone: (entry: { domain: number; page: number; order: number; pasid: number }) => boolean): void {
    this.#shadow.drop((entry) => gone(entry));
    this.#cache.drop((entry) => {
      if (!gone(entry)) return false;
      this.#lost.set(`${entry.domain} ${entry.page}`, kind);
      return true;
    });
  }
}

const operations = fc.array(
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        kind: fc.constant('access' as const),
        domain: fc.constantFrom(4, 5),
        page: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: LARGE, max: LARGE + 3 })),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('pages' as const),
        domain: fc.constantFrom(4, 5),
        page: fc.integer({ min: 0, max: LARGE }),
        order: fc.constantFrom(0, 0, 1, 2, 9),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('domain' as const), domain: fc.constantFrom(4, 5) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('all' as const, 'reset' as const) }) },
  ),
  { minLength: 20, maxLength: 160 },
);

describe('causes of misses', () => {
  test.each([
    ['1 x 4', 1, 4, REPLACEMENT.lru, true],
    ['4 x 2', 4, 2, REPLACEMENT.lru, true],
    ['2 x 2, emptied ways keep their place', 2, 2, REPLACEMENT.lru, false],
    ['3 x 8, a heap in the shadow', 3, 8, REPLACEMENT.lru, false],
    ['4 x 2, FIFO', 4, 2, REPLACEMENT.fifo, true],
    ['2 x 4, tree PLRU', 2, 4, REPLACEMENT.treePlru, true],
    ['3 x 2, tree PLRU, emptied ways keep their place', 3, 2, REPLACEMENT.treePlru, false],
  ] as const)('%s: as a slow reference counts them', (_, sets, ways, replacement, refill) => {
    const settings = [
      `sets=${sets}`,
      `ways=${ways}`,
      `replacement=${replacement}`,
      `refill-invalid-first=${Number(refill)}`,
    ];
    const hardware = withSettings(vtdServer, settings);
    fc.assert(
      fc.property(operations, (list) => {
        const machine = createMachine(hardware);
        const reference = new Reference(sets, ways, replacement, refill);
        for (const domain of [4, 5]) {
          machine.attach(0x10 * domain, -1, domain);
          machine.map(0, domain, 0, 0, 0x1000, 0, LARGE << 12, 0, 3);
          machine.map(0, domain, LARGE << 12, 0, 0x4000_0000, 0, LARGE << 12, 0, 3);
        }
        for (const op of list) {
          switch (op.kind) {
            case 'access':
              machine.access(0, 0x10 * op.domain, -1, -1, op.page << 12, 0, 1, 0);
              reference.access(op.domain, op.page);
              break;
            case 'pages': {
              const first = op.page - (op.page % 2 ** op.order);
              machine.command(0, 0xf2 | (op.domain << 16), 0, (first << 12) | op.order, 0);
              reference.drop('iotlb', (entry) => {
                const shift = Math.max(op.order, entry.order);
                return names({ ...entry, tag: 0, out: 0 }, op.domain, -1) && first >> shift === entry.page >> shift;
              });
              break;
            }
            case 'domain':
              machine.command(0, 0xe2 | (op.domain << 16), 0, 0, 0);
              reference.drop('iotlb', (entry) => entry.domain === op.domain);
              break;
            case 'all':
              machine.command(0, 0xd2, 0, 0, 0);
              reference.drop('iotlb', () => true);
              break;
            case 'reset':
              machine.reset(0);
              reference.drop('reset', () => true);
              break;
          }
        }
        const { caches } = machine.finish(1);
        expect(caches['iotlb']?.hits).toBe(reference.hits);
        expect(caches['iotlb']?.causes).toEqual(reference.causes);
        expect(caches['iotlb']?.invalidatedBy).toEqual(reference.invalidatedBy);
      }),
      { numRuns: 60 },
    );
  });

  test('of walk caches, by level and command', () => {
    const machine = createMachine(withSettings(vtdServer, ['l1=1', 'l2=8', 'l3=0']));
    machine.attach(0x18, -1, 4);
    machine.map(0, 4, 0, 0, 0x1000, 0, 0x40_0000, 0, 3);
    const touch = (page: number): number => machine.access(0, 0x18, -1, -1, page << 12, 0, 1, 0);
    touch(0);
    touch(1);
    touch(0x201);
    touch(2);
    machine.command(0, 0xe2 | (4 << 16), 0, 0, 0);
    touch(0);
    const { caches, walkReads } = machine.finish(1);
    expect(caches['walk.l1']).toEqual({
      lookups: 5,
      hits: 1,
      misses: 4,
      // 0 and 0x201 are under different pointers, of which one fits; the last is after its domain's command
      causes: { compulsory: 2, capacity: 1, conflict: 0, invalidation: 1 },
      invalidatedBy: { iotlb: 1 },
    });
    expect(caches['walk.l2']).toMatchObject({ lookups: 4, hits: 2, invalidatedBy: { iotlb: 1 } });
    expect(caches['walk.l3']).toBeUndefined();
    expect(walkReads).toBe(4 + 1 + 2 + 2 + 4);
  });

  test('of configuration caches: all at first, by command after, by capacity where they are small', () => {
    const run = (settings: readonly string[]): object => {
      const machine = createMachine(withSettings(vtdServer, settings));
      for (let round = 0; round < 3; round++) {
        for (const rid of [0x10, 0x18, 0x20]) machine.access(0, rid, round === 2 ? 5 : -1, 4, 0x1000, 0, 1, 0);
        if (round === 0) machine.command(0, 0x31, 0x18, 0, 0);
      }
      const { context, pasid } = machine.finish(1).caches;
      return { context: context?.causes, by: context?.invalidatedBy, pasid: pasid?.misses };
    };
    expect(run([])).toEqual({
      context: { compulsory: 3, capacity: 0, conflict: 0, invalidation: 1 },
      by: { context: 1 },
      pasid: 3,
    });
    expect(run(['context.entries=2'])).toMatchObject({ context: { compulsory: 3, capacity: 5, invalidation: 1 } });
  });
});
