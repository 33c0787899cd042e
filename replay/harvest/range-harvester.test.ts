import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PAGE_TABLE_FORMATS } from '../model/formats/formats.ts';
import type { PageTableFormat } from '../model/page-table-format.ts';
import { PageTables } from '../model/page-tables.ts';
import { readDirty } from '../model/table-dirty.ts';
import { TablePool } from '../model/table-pool.ts';
import { TableWalk, WALK } from '../model/table-walk.ts';
import { setDirty } from './dirty-bit.ts';
import { RangeHarvester } from './range-harvester.ts';
import { BLOCK_BYTES, scanKernel, tableMemory } from './scan-kernel.ts';
import { buildSharedTables, sharedReader, tableBytes } from './table-memory.ts';
import type { SharedTables } from './table-memory.ts';

/** Formats in which a write shows. */
const TRACKED = PAGE_TABLE_FORMATS.filter(
  ({ dirty, leafHigh }) => (leafHigh[3] & dirty.trackedHigh) === dirty.trackedHigh,
);
const FRAMES = 96;
const PAGES = 4096;

interface Setting {
  readonly tables: PageTables;
  readonly shared: SharedTables;
}

/** Two equal sets of tables, from the same maps. */
function twins(
  format: PageTableFormat,
  maps: readonly { page: number; out: number; count: number }[],
): [Setting, Setting] {
  const make = (): Setting => {
    const memory = tableMemory(FRAMES * 4096);
    const tables = new PageTables(new TablePool({ buffer: memory.buffer }), format, { strict: true });
    for (const { page, out, count } of maps) tables.map(page, out, count, 3);
    const { root, levels } = tables;
    const shared = {
      format: format.name,
      memory,
      root,
      levels,
      leafShift: 12,
      pages: PAGES,
      pageBytes: 4096,
      leafBytes: 0,
    };
    return { tables, shared };
  };
  return [make(), make()];
}

function bytesOf({ shared }: Setting): Uint8Array {
  return new Uint8Array(shared.memory.buffer);
}

function write({ tables }: Setting, page: number): void {
  const walk = new TableWalk(tables);
  if (walk.read(page | 0, 0, 2) !== WALK.mapped) return;
  setDirty(tables.pool.words, walk.slots[walk.level] ?? 0, tables.format);
}

/** Pages of the bits, from the first page on. */
function pagesOf(bits: Int32Array, first: number): number[] {
  const pages: number[] = [];
  for (let bit = 0; bit < bits.length * 32; bit++) {
    if ((((bits[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1) pages.push(first + bit);
  }
  return pages;
}

const granules = (format: PageTableFormat): number => format.geometry.spans[0] ?? 1;

describe('a harvest', () => {
  test('of any format finds and clears what the model reads', () => {
    expect(TRACKED.length).toBeGreaterThan(8);
    const requests = fc.record({
      format: fc.constantFrom(...TRACKED),
      maps: fc.array(fc.tuple(fc.nat(64), fc.nat(64), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 5 }),
      writes: fc.array(fc.nat(PAGES - 1), { maxLength: 60 }),
      range: fc.tuple(fc.nat(PAGES - 1), fc.integer({ min: 1, max: PAGES })),
      clear: fc.boolean(),
      huge: fc.boolean(),
    });
    fc.assert(
      fc.property(requests, ({ format, maps, writes, range, clear, huge }) => {
        const granule = granules(format);
        // the model's harvest of LPAE tables ends at a hole, as Linux's does: one mapping without
        const list =
          format.rules === 'lpae' || huge
            ? [{ page: 0, out: (maps[0]?.[1] ?? 0) * granule, count: PAGES }]
            : maps.map(([page, out, count]) => ({ page: page * 64, out: out * 16, count: count * 16 }));
        const [model, real] = twins(format, list);
        for (const page of writes) {
          write(model, page);
          write(real, page);
        }
        const [first, count] = range;
        const from = first - (first % granule);
        const pages = Math.min(count, PAGES - from);
        const expected: number[] = [];
        readDirty(model.tables, from, pages, clear, (page, found) => {
          for (let i = 0; i < found; i++) expected.push(page + i);
        });
        const bits = new Int32Array(PAGES / 32);
        const harvester = new RangeHarvester(real.shared, { words: bits, pageShift: format.pageShift });
        harvester.harvest(from, from + pages, clear);
        expect(pagesOf(bits, from)).toEqual(expected);
        expect(Buffer.compare(bytesOf(real), bytesOf(model))).toBe(0);
      }),
      { numRuns: 150, seed: 7 },
    );
  });

  test('reports a large leaf whole, cut at the ends of the request, and in larger pages once', () => {
    const shared = buildSharedTables({ format: 'vtd-second-stage-48', leafShift: 21, bytes: 2 ** 30 });
    const words = new Int32Array(shared.memory.buffer);
    const walk = new TableWalk(sharedReader(shared));
    expect(walk.read(512, 0, 2)).toBe(WALK.mapped);
    setDirty(words, walk.slots[walk.level] ?? 0, walk.tables.format);
    const fine = new Int32Array(64);
    new RangeHarvester(shared, { words: fine, pageShift: 12 }).harvest(500, 1000, false);
    expect(pagesOf(fine, 500)).toEqual(Array.from({ length: 488 }, (_, i) => 512 + i));
    const coarse = new Int32Array(64);
    const harvester = new RangeHarvester(shared, { words: coarse, pageShift: 21 });
    harvester.harvest(0, shared.pages);
    harvester.harvest(0, shared.pages);
    expect(pagesOf(coarse, 0)).toEqual([1]);
    expect([harvester.leaves, harvester.cleared]).toEqual([1, 1]);
  });
});

describe('the kernel', () => {
  test('finds the first block with a bit in any of its entries, in low words alone', () => {
    const memory = tableMemory(65536);
    const scan = scanKernel(memory);
    const words = new Int32Array(memory.buffer);
    for (const clean of [0, 0x80]) {
      words.fill(clean);
      expect(scan(0, 65536, 0x80, clean)).toBe(65536);
      for (let entry = 0; entry < 40; entry++) {
        words[1024 + entry * 2] = clean ^ 0x80;
        const block = 4096 + (entry >> 3) * BLOCK_BYTES;
        expect(scan(BLOCK_BYTES, 65536, 0x80, clean)).toBe(block);
        expect(scan(BLOCK_BYTES, block, 0x80, clean)).toBe(block);
        words[1024 + entry * 2] = clean | 0x7f;
        words[1025 + entry * 2] = ~clean;
      }
      expect(scan(0, 65536, 0x80, clean)).toBe(65536);
    }
  });
});

describe('shared tables', () => {
  test('of every format have leaves of the size asked for, clean after a first harvest', () => {
    for (const format of TRACKED) {
      const { name, pageShift } = format;
      const largest = format.geometry.sizes.findLast(({ pageBits }) => pageBits + pageShift <= 30)?.pageBits ?? 0;
      for (const leafShift of new Set([format.granuleShift, largest + pageShift])) {
        const shared = buildSharedTables({ format: name, leafShift, bytes: 2 ** leafShift * 3 });
        const bitmap = { words: new Int32Array(1), pageShift: leafShift };
        const harvester = new RangeHarvester(shared, bitmap);
        harvester.harvest(0, shared.pages);
        // Arm's stage 1 has AP[2] clear at first, x86-64 and RISC-V have D preset
        const fresh = (format.leafLow[3] & format.dirty.mask) === format.dirty.dirty;
        expect([name, harvester.leaves, bitmap.words[0]]).toEqual([name, fresh ? 3 : 0, fresh ? 7 : 0]);
        harvester.harvest(0, shared.pages);
        expect(harvester.leaves).toBe(fresh ? 3 : 0);
        const reader = sharedReader(shared);
        expect(reader.translate(0, 0)).toBeGreaterThanOrEqual(0);
        expect([name, reader.leafShift]).toEqual([name, leafShift]);
      }
    }
  });

  test('64 GiB of 4 KiB leaves need 128 MiB of tables, 1 TiB of 2 MiB leaves 4 MiB; more than 2 GiB is refused', () => {
    const format = 'vtd-second-stage-48';
    expect(tableBytes({ format, leafShift: 12, bytes: 2 ** 36 })[0]).toBe(2 ** 27);
    expect(tableBytes({ format, leafShift: 21, bytes: 2 ** 40 })[0]).toBe(2 ** 22);
    expect(() => buildSharedTables({ format, leafShift: 12, bytes: 2 ** 40 })).toThrow(/bytes of page tables/);
    expect(() => tableBytes({ format, leafShift: 16, bytes: 2 ** 30 })).toThrow(/no leaves of 2\^16/);
  });
});
