import { Piscina } from 'piscina';
import { harvestWorker } from './lane-control.ts';
import { RangeHarvester } from './range-harvester.ts';
import { buildSharedTables } from './table-memory.ts';
import type { SharedTablesOptions } from './table-memory.ts';
import { WriteLedger, ledgerArrays } from './write-ledger.ts';

export interface ConcurrentOptions extends SharedTablesOptions {
  readonly writers: number;
  readonly harvesters: number;
  /** Of all writers together. */
  readonly writes: number;
  readonly seed: number;
}

/** What became of writes that happened while others harvested. */
export interface ConcurrentResult {
  readonly writes: number;
  readonly leaves: number;
  /** Harvests of all the memory, of the harvester that made the fewest. */
  readonly passes: number;
  /** Entries that writes made dirty, and entries that harvests made clean. */
  readonly sets: number;
  readonly clears: number;
  /** Writes that no harvest after them reported. */
  readonly lost: number;
}

/** Writers and harvesters at work on the same tables at once, each in a thread of its own. */
export async function harvestUnderWrites(options: ConcurrentOptions): Promise<ConcurrentResult> {
  const { writers, harvesters, writes, seed } = options;
  const shared = buildSharedTables(options);
  const leaves = options.bytes / 2 ** options.leafShift;
  const bits = new Int32Array(new SharedArrayBuffer(Math.ceil(leaves / 32) * 4));
  // new leaves may be dirty
  new RangeHarvester(shared, { words: bits, pageShift: options.leafShift }).harvest(0, shared.pages);
  bits.fill(0);
  const arrays = ledgerArrays(leaves);
  const threads = writers + harvesters;
  const gate = new Int32Array(new SharedArrayBuffer(8));
  gate[1] = writers;
  const common = { shared, ledger: arrays, bits, gate, threads };
  const pool = new Piscina({
    filename: harvestWorker(),
    minThreads: threads,
    maxThreads: threads,
    atomics: 'disabled',
  });
  try {
    const share = (index: number): number =>
      Math.floor((writes * (index + 1)) / writers) - Math.floor((writes * index) / writers);
    const writing = Array.from({ length: writers }, (_, i) =>
      pool.run({ ...common, writes: share(i), seed: seed + i }, { name: 'writeLane' }),
    );
    const collecting = Array.from({ length: harvesters }, async (_, lane) => {
      const done: unknown = await pool.run({ ...common, lane, lanes: harvesters }, { name: 'collectLane' });
      return done as { readonly passes: number; readonly cleared: number };
    });
    const [results] = await Promise.all([Promise.all(collecting), Promise.all(writing)]);
    return {
      writes,
      leaves,
      passes: Math.min(...results.map(({ passes }) => passes)),
      sets: arrays.sets[0] ?? 0,
      clears: results.reduce((sum, { cleared }) => sum + cleared, 0),
      lost: new WriteLedger(shared, arrays).lost(),
    };
  } finally {
    await pool.destroy();
  }
}
