import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../traces/random.ts';
import { SetAssociativeIotlb } from './set-associative-iotlb.ts';
import type { Geometry } from './set-associative-iotlb.ts';
import { TranslationKernel, WALKED, suitsKernel } from './translation-kernel.ts';
import type { Walker } from './translation-kernel.ts';

const CODES = { dma: 1, untranslated: 0 };
const TWO_32 = 2 ** 32;
/** Numbers of address spaces, as profiles give them. */
const SPACES = [1, 7, 0x1_0000, 0x1_0001, -3];

type Step =
  | { readonly what: 'access'; readonly space: number; readonly page: number }
  | { readonly what: 'drop'; readonly space: number; readonly page: number; readonly count: number }
  | { readonly what: 'all' };

const geometry: fc.Arbitrary<Geometry> = fc
  .record({
    sets: fc.constantFrom(1, 2, 3, 8, 16, 24, 64),
    ways: fc.integer({ min: 1, max: 16 }),
    index: fc.nat(2),
    refillInvalidFirst: fc.boolean(),
  })
  .map(({ sets, ways, index, refillInvalidFirst }) => ({
    banks: [{ sets, ways, fromOrder: 0 }],
    index,
    replacement: 0,
    seed: 0,
    refillInvalidFirst,
  }));

const space = fc.nat(SPACES.length - 1);
// few pages at each of some places, up to the last of 52 bits, so that they meet
const page = fc
  .tuple(fc.constantFrom(0, 0x7ffff0, TWO_32 - 8, 5 * TWO_32, 2 ** 51, 2 ** 52 - 64), fc.nat(63))
  .map(([base, offset]) => base + offset);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ what: fc.constant('access' as const), space, page }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('drop' as const),
      space,
      page,
      count: fc.constantFrom(1, 4, 40, 2 ** 20),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ what: 'all' as const }) },
);

const outputOf = (page: number): number => (page * 3 + 1) % TWO_32;

/** Walks that find every page but each thirteenth. */
function walker(): Walker & { walks: number } {
  return {
    output: 0,
    walks: 0,
    walk(_, pageLo, pageHi) {
      const own = (pageHi >>> 0) * TWO_32 + (pageLo >>> 0);
      this.walks++;
      this.output = outputOf(own) | 0;
      return own % 13 === 0 ? WALKED.fault : WALKED.until;
    },
  };
}

/** The same with the model's cache. */
function modelled(shape: Geometry, steps: readonly Step[]): { misses: number; invalidated: number; outputs: bigint } {
  const iotlb = new SetAssociativeIotlb(shape, () => undefined);
  const { entries } = iotlb;
  let misses = 0;
  let invalidated = 0;
  let outputs = 0n;
  const drop = (gone: (slot: number) => boolean): void => {
    for (let slot = 0; slot < entries.capacity; slot++) {
      if (entries.live[slot] === 0 || !gone(slot)) continue;
      iotlb.drop(slot, 0);
      invalidated++;
    }
  };
  for (const one of steps) {
    if (one.what === 'all') drop(() => true);
    else if (one.what === 'drop') {
      drop((slot) => {
        const own = (entries.pageHiOf(slot) >>> 0) * TWO_32 + (entries.pageLoOf(slot) >>> 0);
        return entries.tagOf(slot) === SPACES[one.space] && own >= one.page && own < one.page + one.count;
      });
    } else {
      const [lo, hi] = [one.page | 0, (one.page / TWO_32) | 0];
      const tag = SPACES[one.space]!;
      if (iotlb.lookup(tag, lo, hi) < 0) {
        misses++;
        if (one.page % 13 === 0) continue;
        iotlb.insert(tag, tag, -1, 0, lo, hi, 0, 0);
      }
      outputs += BigInt(outputOf(one.page));
    }
  }
  return { misses, invalidated, outputs };
}

describe('translation kernel', () => {
  test('counts what a set-associative cache does, of any geometry and any pages', () => {
    fc.assert(
      fc.property(geometry, fc.array(step, { maxLength: 400, size: 'max' }), fc.nat(399), (shape, steps, cut) => {
        expect(suitsKernel(shape)).toBe(true);
        let kernel = new TranslationKernel(shape, walker(), { codes: CODES, room: 8 });
        for (const number of SPACES) kernel.addSpace(number);
        let before = { misses: 0, invalidated: 0, outputs: 0n };
        steps.forEach((one, i) => {
          if (i === cut) {
            // what one holds another goes on with
            kernel.run();
            before = kernel.counts();
            const next = new TranslationKernel(shape, walker(), { codes: CODES });
            for (const number of SPACES) next.addSpace(number);
            next.setEntries(kernel.entries());
            kernel = next;
          }
          if (kernel.full) kernel.run();
          if (one.what === 'all') kernel.addDrop(0, 0, 0);
          else if (one.what === 'drop') {
            kernel.addDrop(one.space + 1, one.page, Math.min(2 ** 52, one.page + one.count) - 1);
          } else kernel.addAccess(one.space + 1, (one.page % 0x100000) << 12, Math.floor(one.page / 0x100000) | 0);
        });
        kernel.run();
        const { misses, invalidated, outputs } = kernel.counts();
        expect({
          misses: before.misses + misses,
          invalidated: before.invalidated + invalidated,
          outputs: before.outputs + outputs,
        }).toEqual(modelled(shape, steps));
      }),
      { numRuns: 200 },
    );
  });

  test('walks a page once, and again when it was forgotten', () => {
    const shape: Geometry = {
      ...fc.sample(geometry, { numRuns: 1, seed: 1 })[0]!,
      banks: [{ sets: 1, ways: 1, fromOrder: 0 }],
    };
    const walks = walker();
    const kernel = new TranslationKernel(shape, walks, { codes: CODES });
    const one = kernel.addSpace(1);
    const random = new Random(3);
    const pages = Array.from({ length: 3000 }, () => random.below(2 ** 31) * 13 + 1);
    const visit = (): number => {
      const { walks: before } = walks;
      for (const own of pages) kernel.addAccess(one, (own % 0x100000) << 12, Math.floor(own / 0x100000) | 0);
      kernel.run();
      return walks.walks - before;
    };
    expect(visit()).toBe(new Set(pages).size);
    expect(visit()).toBe(0);
    kernel.forget(one, pages[0]!, 1);
    kernel.forget(one, pages[1]!, 1);
    expect(visit()).toBe(2);
    // many blocks more than there are
    kernel.forget(one, 0, 2 ** 45);
    expect(visit()).toBe(new Set(pages).size);
  });

  test('refuses what another geometry held, and more spaces than keys can tell apart', () => {
    const shape: Geometry = fc.sample(geometry, { numRuns: 1, seed: 1 })[0]!;
    const kernel = new TranslationKernel(shape, walker(), { codes: CODES });
    expect(() => kernel.setEntries(new Int32Array(3))).toThrow(/3 words of a cache/);
    expect(() => {
      for (let i = 0; i < 5000; i++) kernel.addSpace(i);
    }).toThrow(/4095 address spaces/);
  });
});
