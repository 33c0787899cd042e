import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../traces/random.ts';
import { harvestUnderWrites } from './concurrent-harvest.ts';
import { DirtyWriter } from './dirty-writer.ts';
import { HarvestLanes } from './harvest-lanes.ts';
import { RangeHarvester } from './range-harvester.ts';
import { buildSharedTables } from './table-memory.ts';
import { WriteLedger, ledgerArrays } from './write-ledger.ts';

const full = process.env['IORR_FULL'] === '1';
const VTD = 'vtd-second-stage-48';
/** Formats and leaves: one entry, replicated entries, a clear bit that means dirty, the contiguous hint. */
const LAYOUTS = [
  [VTD, 12],
  [VTD, 21],
  ['amd-v1', 16],
  ['arm-s1-4k-48-4l-contiguous-dbm', 12],
  ['arm-s1-64k-52-3l-dbm', 16],
] as const;

describe('writers and harvesters in threads of their own', () => {
  test.each(LAYOUTS)('%s, leaves of 2^%i bytes: no write is lost', async (format, leafShift) => {
    const bytes = 2 ** leafShift * 2048;
    const writes = 200_000;
    const result = await harvestUnderWrites({ format, leafShift, bytes, writers: 2, harvesters: 2, writes, seed: 1 });
    expect(result).toMatchObject({ writes, leaves: 2048, lost: 0, clears: result.sets });
    expect(result.passes).toBeGreaterThan(1);
    expect(result.sets).toBeGreaterThan(1000);
  });

  test('64 leaves that are written all the time: no write is lost', async () => {
    const size = { format: VTD, leafShift: 12, bytes: 2 ** 18 };
    const result = await harvestUnderWrites({ ...size, writers: 1, harvesters: 1, writes: 1e6, seed: 4 });
    expect(result).toMatchObject({ writes: 1e6, leaves: 64, lost: 0, clears: result.sets });
  });

  test.skipIf(!full)('10 million writes: no write is lost', async () => {
    for (const [format, leafShift] of LAYOUTS) {
      const bytes = 2 ** leafShift * 65536;
      const result = await harvestUnderWrites({
        format,
        leafShift,
        bytes,
        writers: 2,
        harvesters: 2,
        writes: 1e7,
        seed: 2,
      });
      process.stdout.write(`${format}, leaves of 2^${leafShift} bytes: ${JSON.stringify(result)}\n`);
      expect(result).toMatchObject({ writes: 1e7, lost: 0, clears: result.sets });
      expect(result.passes).toBeGreaterThan(10);
    }
  });
});

describe('a ledger', () => {
  test('counts exactly the writes that a harvest clears without telling', () => {
    const steps = fc.array(fc.tuple(fc.nat(5), fc.nat(1e6)), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(fc.constantFrom(...LAYOUTS), steps, ([format, leafShift], list) => {
        const shared = buildSharedTables({ format, leafShift, bytes: 2 ** leafShift * 64 });
        const arrays = ledgerArrays(64);
        const ledger = new WriteLedger(shared, arrays);
        const writer = new DirtyWriter(shared, ledger, 1);
        const bits = new Int32Array(2);
        const harvester = new RangeHarvester(shared, { words: bits, pageShift: leafShift });
        harvester.harvest(0, shared.pages);
        bits.fill(0);
        const leafPages = shared.pages / 64;
        // writes that are in no copy yet, and those that nobody can tell of any more
        const open = new Array<number>(64).fill(0);
        const gone = new Array<number>(64).fill(0);
        for (const [kind, number] of list) {
          const leaf = number % 64;
          if (kind < 4) {
            writer.writeTo(number % shared.pages);
            const written = Math.floor((number % shared.pages) / leafPages);
            open[written] = (open[written] ?? 0) + 1;
          } else {
            harvester.harvest(leaf * leafPages, shared.pages, true, 0);
            if (kind === 4) ledger.collect(bits, 0, shared.pages);
            for (let i = leaf; i < 64; i++) {
              // a copy has all writes, also those that an earlier harvest did not tell of
              if ((open[i] ?? 0) === 0) continue;
              gone[i] = kind === 4 ? 0 : (gone[i] ?? 0) + (open[i] ?? 0);
              open[i] = 0;
            }
            bits.fill(0);
          }
        }
        harvester.harvest(0, shared.pages);
        ledger.collect(bits, 0, shared.pages);
        const lost = gone.reduce((sum, count, i) => sum + ((open[i] ?? 0) > 0 ? 0 : count), 0);
        expect(ledger.lost()).toBe(lost);
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  test('shows a write that is undone where entries are put back as they were read', () => {
    const shared = buildSharedTables({ format: VTD, leafShift: 12, bytes: 2 ** 18 });
    const ledger = new WriteLedger(shared, ledgerArrays(64));
    const writer = new DirtyWriter(shared, ledger, 1);
    const bits = new Int32Array(2);
    const harvester = new RangeHarvester(shared, { words: bits, pageShift: 12 });
    const words = new Int32Array(shared.memory.buffer);
    const before = words.slice();
    writer.writeTo(7);
    // a harvest that reads all, is overtaken by a write and puts back what it read
    words.set(before);
    harvester.harvest(0, shared.pages);
    ledger.collect(bits, 0, shared.pages);
    expect(ledger.lost()).toBe(1);
  });
});

describe('lanes', () => {
  test('find the same with any number of threads, with and without clearing', async () => {
    const shared = buildSharedTables({ format: VTD, leafShift: 12, bytes: 2 ** 30 });
    const lanes = await HarvestLanes.start(shared, 3);
    try {
      const writer = new DirtyWriter(shared, undefined, 1);
      const dirty = new Int32Array(2 ** 18 / 32);
      for (const threads of [1, 2, 3]) {
        const random = new Random(threads);
        dirty.fill(0);
        for (let i = 0; i < 5000; i++) {
          const page = random.below(shared.pages);
          writer.writeTo(page);
          dirty[page >>> 5] = (dirty[page >>> 5] ?? 0) | (1 << (page & 31));
        }
        const kept = lanes.harvest(threads, false);
        expect(kept.cleared).toBe(0);
        lanes.bits.fill(0);
        const found = lanes.harvest(threads);
        expect(Buffer.compare(Buffer.from(lanes.bits.buffer), Buffer.from(dirty.buffer))).toBe(0);
        expect(found).toEqual({ leaves: kept.leaves, cleared: kept.leaves });
        expect(lanes.harvest(threads)).toEqual({ leaves: 0, cleared: 0 });
        lanes.bits.fill(0);
      }
    } finally {
      await lanes.stop();
    }
  });

  test('refuse threads that they lack', async () => {
    const shared = buildSharedTables({ format: VTD, leafShift: 21, bytes: 2 ** 30 });
    const lanes = await HarvestLanes.start(shared, 1);
    expect(() => lanes.harvest(2)).toThrow(/2 of 1/);
    await lanes.stop();
  });
});
