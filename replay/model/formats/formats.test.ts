import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeLeaves, splitLeaf } from '../leaf-sizes.ts';
import type { PageTableFormat } from '../page-table-format.ts';
import { PageTables, TABLE_EVENT } from '../page-tables.ts';
import { readDirty } from '../table-dirty.ts';
import { TablePool } from '../table-pool.ts';
import { TableWalk, WALK } from '../table-walk.ts';
import { PAGE_TABLE_FORMATS } from './formats.ts';
import { ReferenceMappings } from './testing/reference-mappings.ts';
import type { ReferenceRules } from './testing/reference-mappings.ts';
import { referenceWalk } from './testing/reference-walk.ts';
import type { ReferenceLeaf } from './testing/reference-walk.ts';

const BASE_PAGE = 0x3100;
const RUNS = process.env['IORR_FULL'] === '1' ? 100 : 8;

/** By the start of a format's name: leaf sizes in bits and what its entries can say, from the specifications. */
function rulesOf(name: string): ReferenceRules & { readonly pageBits: number; readonly granuleBits: number } {
  const pageBits = name.endsWith('-2k') ? 11 : 12;
  const rules = (bits: readonly number[], rest: Partial<ReferenceRules>): ReturnType<typeof rulesOf> => ({
    pageBits,
    granuleBits: bits[0] ?? 0,
    sizes: bits.map((b) => 2 ** (b - pageBits)),
    lpae: false,
    indexBits: 9,
    allows: (prot) => prot || 3,
    fresh: { accessed: false, dirty: false },
    tracksDirty: true,
    ...rest,
  });
  const writeImpliesRead = (prot: number): number => (prot === 1 ? 1 : 3);
  const preset = { accessed: true, dirty: true };
  if (name.startsWith('vtd-second-stage')) return rules([12, 21, 30], {});
  if (name.startsWith('vtd-first-stage') || name.startsWith('amd-v2')) {
    return rules([12, 21, 30], { allows: writeImpliesRead, fresh: preset });
  }
  if (name.startsWith('amd-v1')) {
    return rules(
      Array.from({ length: 52 - pageBits }, (_, i) => pageBits + i).filter((b) => b !== 39),
      {},
    );
  }
  if (name.startsWith('riscv')) {
    const levels = { 'riscv-sv39': [12, 21, 30], 'riscv-sv48': [12, 21, 30, 39], 'riscv-sv57': [12, 21, 30, 39, 48] };
    const all = levels[name.slice(0, 10) as keyof typeof levels];
    const bits = name.endsWith('-napot') ? [...all, 16].sort((a, b) => a - b) : all;
    return rules(bits, { allows: writeImpliesRead, fresh: preset });
  }
  const hinted = name.includes('-contiguous');
  const blocks = { 4: [12, 21, 30], 16: [14, 25], 64: [16, 29] };
  const hints = { 4: [16, 25, 34], 16: [21, 30], 64: [21, 34] };
  const granule = Number(/-(4|16|64)k-/.exec(name)?.[1]) as 4 | 16 | 64;
  const bits = [...blocks[granule], ...(hinted ? hints[granule] : []), ...(name.includes('k-52') ? [42] : [])];
  return rules(
    bits.sort((a, b) => a - b),
    {
      lpae: true,
      indexBits: { 4: 9, 16: 11, 64: 13 }[granule],
      allows: name.startsWith('arm-s1') ? writeImpliesRead : (prot) => prot || 3,
      fresh: preset,
      tracksDirty: name.endsWith('-dbm'),
    },
  );
}

/** The raw memory of a pool as hardware would read it. */
function memoryOf(pool: TablePool): (address: bigint) => bigint {
  return (address) => {
    const index = Number(address >> 2n) - pool.basePage * 1024;
    expect(index).toBeGreaterThanOrEqual(0);
    return (BigInt(pool.words[index + 1]! >>> 0) << 32n) | BigInt(pool.words[index]! >>> 0);
  };
}

function words(page: number): [number, number] {
  return [page | 0, Math.floor(page / 2 ** 32) | 0];
}

type Operation =
  | { readonly kind: 'map'; readonly page: number; readonly out: number; readonly count: number; readonly prot: number }
  | { readonly kind: 'unmap' | 'harvest' | 'clear'; readonly page: number; readonly count: number }
  | { readonly kind: 'read' | 'write' | 'split'; readonly page: number }
  | { readonly kind: 'merge'; readonly page: number; readonly rank: number };

/** Operations on a window of pages that straddles the boundary of an upper table, with alignments of all leaf sizes. */
function operations(granule: number, sizes: readonly number[], base: number, outs: number): fc.Arbitrary<Operation[]> {
  const small = sizes.slice(0, 12).filter((pages) => pages <= 2 ** 15);
  const step = fc.constantFrom(granule, granule, ...small);
  const window = 4 * (small.at(-1) ?? 1);
  const place = fc
    .tuple(step, fc.nat(4 * (small.at(-1) ?? 1)))
    .map(([pages, at]) => Math.floor((at % window) / pages) * pages);
  const page = place.map((at) => base + at);
  const length = fc
    .tuple(fc.nat(40), fc.constantFrom(0, 0, ...small))
    .map(([extra, pages]) => pages + extra * granule || granule);
  const out = fc.oneof(
    place,
    fc.constantFrom(0, 2 ** 24, outs / 2, outs - top(granule, sizes)).chain((far) => place.map((at) => far + at)),
  );
  const prot = fc.integer({ min: 0, max: 3 });
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('map' as const), page, out, count: length, prot }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('unmap' as const), page, count: length }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constantFrom('harvest' as const, 'clear' as const), page, count: length }),
      },
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constantFrom('read' as const, 'write' as const, 'split' as const), page }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('merge' as const), page, rank: fc.nat(small.length - 1) }),
      },
    ),
    { minLength: 1, maxLength: 14 },
  );
}

/** Applies a sequence to the tables and to both references; returns the frames that the tables don't give back. */
function run(format: PageTableFormat, ops: readonly Operation[], strict: boolean): number {
  const rules = rulesOf(format.name);
  const granule = 2 ** (rules.granuleBits - rules.pageBits);
  const pool = new TablePool({ basePage: BASE_PAGE });
  const tables = new PageTables(pool, format, { strict });
  const walk = new TableWalk(tables);
  const reference = new ReferenceMappings(rules);
  const probes = new Set<number>();
  for (const op of ops) {
    probes.add(op.page);
    switch (op.kind) {
      case 'map': {
        const done = reference.map(op.page, op.out, op.count, op.prot, strict);
        const events = tables.map(op.page, op.out, op.count, op.prot);
        // LPAE reports, and takes away, what lies below the block that it writes
        if (strict && !(rules.lpae && done)) expect((events & TABLE_EVENT.overlap) === 0).toBe(done);
        probes.add(op.page + op.count - 1).add(op.page + op.count);
        break;
      }
      case 'unmap': {
        // whether a hole stops LPAE's unmap depends on the tables that are there
        if (strict && rules.lpae && !reference.whole(op.page, op.count)) break;
        tables.unmap(op.page, op.count);
        expect(tables.removed).toBe(reference.unmap(op.page, op.count, granule, strict));
        probes.add(op.page + op.count);
        break;
      }
      case 'harvest':
      case 'clear': {
        const found: [number, number][] = [];
        readDirty(tables, op.page, op.count, op.kind === 'clear', (page, pages) => found.push([page, pages]));
        expect(found).toEqual(reference.harvest(op.page, op.count, op.kind === 'clear', granule));
        break;
      }
      case 'read':
      case 'write': {
        const write = op.kind === 'write';
        const result = walk.read(...words(op.page), write ? 2 : 1);
        if (result === WALK.mapped) walk.update(write);
        expect(result === WALK.mapped).toBe(reference.access(op.page, write));
        break;
      }
      case 'split':
        expect(splitLeaf(tables, op.page)).toBe(reference.split(op.page));
        break;
      case 'merge': {
        const pages = rules.sizes[op.rank]!;
        const shift = Math.log2(pages) + rules.pageBits;
        expect(mergeLeaves(tables, op.page, shift)).toBe(reference.merge(op.page, pages));
        break;
      }
    }
    expect(tables.pages).toBe(reference.pages);
  }
  for (const leaf of reference.leaves.values()) {
    if (probes.size < 300)
      probes
        .add(leaf.start - 1)
        .add(leaf.start)
        .add(leaf.start + leaf.pages - 1);
  }
  const memory = memoryOf(pool);
  for (const page of probes) {
    if (page < 0) continue;
    const expected = reference.at(page);
    const level = tables.translate(...words(page));
    const found =
      level < 0
        ? undefined
        : {
            out: (tables.outHi >>> 0) * 2 ** 32 + (tables.outLo >>> 0),
            shift: tables.leafShift,
            access: tables.permission(),
          };
    expect(found).toEqual(
      expected && {
        out: expected.out + page - expected.start,
        shift: Math.log2(expected.pages) + rules.pageBits,
        access: expected.access,
      },
    );
    const address = BigInt(page) << BigInt(rules.pageBits);
    const raw = referenceWalk(format.name, tables.levels, BigInt(tables.root + BASE_PAGE) << 12n, memory, address);
    expect(raw).toEqual(expected && rawOf(expected, page, rules.pageBits, tables.levels - level));
  }
  tables.destroy();
  return pool.frames;
}

function rawOf(
  leaf: NonNullable<ReturnType<ReferenceMappings['at']>>,
  page: number,
  pageBits: number,
  reads: number,
): ReferenceLeaf {
  return {
    address: BigInt(leaf.out + page - leaf.start) << BigInt(pageBits),
    sizeBits: Math.log2(leaf.pages) + pageBits,
    read: (leaf.access & 1) !== 0,
    write: (leaf.access & 2) !== 0,
    accessed: leaf.accessed,
    dirty: leaf.dirty,
    reads,
  };
}

/** Pages that the operations of a window touch at most, aligned. */
function top(granule: number, sizes: readonly number[]): number {
  return 8 * (sizes.findLast((pages) => pages <= 2 ** 15) ?? 1) + 64 * granule;
}

/** Windows at the bottom, across the end of an upper table, at the top and, sign-extended, in the upper half. */
function basesOf(format: PageTableFormat): number[] {
  const { sizes } = rulesOf(format.name);
  const room = 2 ** (format.inputBits - format.pageShift);
  const large = sizes.findLast((pages) => pages <= 2 ** 15) ?? 1;
  const below = top(sizes[0] ?? 1, sizes);
  const bases = [0, 2 ** 18 - large, (format.signExtended ? room / 2 : room) - below];
  const end = 2 ** (64 - format.pageShift);
  if (format.signExtended) bases.push(end - room / 2, end - below);
  return bases;
}

test('names of table formats are unique', () => {
  expect(new Set(PAGE_TABLE_FORMATS.map((format) => format.name)).size).toBe(PAGE_TABLE_FORMATS.length);
});

function sequencesOf(format: PageTableFormat): fc.Arbitrary<Operation[]> {
  const rules = rulesOf(format.name);
  const granule = 2 ** (rules.granuleBits - rules.pageBits);
  const outs = 2 ** (format.outputBits - format.pageShift);
  return fc.constantFrom(...basesOf(format)).chain((base) => operations(granule, rules.sizes, base, outs));
}

describe('random sequences agree with slow mappings and with a walk by the specification', () => {
  test.each(PAGE_TABLE_FORMATS.map((format) => [format.name, format] as const))('%s', (_, format) => {
    fc.assert(
      fc.property(sequencesOf(format), (ops) => {
        expect(run(format, ops, false)).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('strict: maps over mappings are refused, unmaps stop at holes', () => {
  test.each(PAGE_TABLE_FORMATS.map((format) => [format.name, format] as const))('%s', (_, format) => {
    fc.assert(
      fc.property(sequencesOf(format), (ops) => {
        expect(run(format, ops, true)).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('any numbers: reported, never a crash', () => {
  const odd = fc.oneof(
    fc.constantFrom(-1, -4096, Number.NaN, Infinity, -Infinity, 0.5, 2 ** 52, 2 ** 53, 2 ** 63, 2 ** 64),
    fc.nat(2 ** 20),
    fc.tuple(fc.nat(53), fc.integer({ min: -2, max: 2 })).map(([bits, by]) => 2 ** bits + by),
  );
  test.each(PAGE_TABLE_FORMATS.map((format) => [format.name, format] as const))('%s', (_, format) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(odd, odd, odd, fc.nat(2 ** 31)), { maxLength: 6 }), (calls) => {
        const pool = new TablePool();
        const tables = new PageTables(pool, format);
        const walk = new TableWalk(tables);
        for (const [page, out, count, prot] of calls) {
          // a mapping of many small leaves is ended by the pool's limit, which costs too much time here
          const few = count > 4096 ? format.geometry.sizes[0]!.pages : count;
          expect(tables.map(page, out, few, prot)).toBeGreaterThanOrEqual(0);
          const [pageLo, pageHi] = words(page);
          const mapped = tables.translate(pageLo, pageHi) >= 0;
          expect(walk.read(pageLo, pageHi, 0) === WALK.mapped).toBe(mapped);
          expect(mergeLeaves(tables, page, prot % 64) && !mapped).toBe(false);
          expect(splitLeaf(tables, page) > 0 && !mapped).toBe(false);
          expect(readDirty(tables, page, count, true, () => undefined)).toBeGreaterThanOrEqual(0);
          expect(tables.unmap(page, count)).toBeGreaterThanOrEqual(0);
          expect(tables.removed).toBeGreaterThanOrEqual(0);
        }
        tables.destroy();
        expect(pool.frames).toBe(0);
      }),
      { numRuns: 4 * RUNS },
    );
  });
});
