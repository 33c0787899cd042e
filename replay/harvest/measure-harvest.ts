import { Random } from '../../traces/random.ts';
import { estimateMedian, medianOf } from '../calibrate/robust-fit.ts';
import type { Estimate } from '../calibrate/robust-fit.ts';
import { DirtyWriter } from './dirty-writer.ts';
import { HarvestLanes } from './harvest-lanes.ts';
import type { HarvestMeasurement } from './harvest-measurement.ts';
import { RangeHarvester } from './range-harvester.ts';
import { buildSharedTables } from './table-memory.ts';
import type { SharedTables, SharedTablesOptions } from './table-memory.ts';

export interface MeasureOptions extends SharedTablesOptions {
  /** Nanoseconds of a clock that always goes on. */
  readonly clock: () => number;
  /** Numbers of threads; 1 is always among them. */
  readonly threads: readonly number[];
  readonly rounds: number;
  readonly seed: number;
  /** Measured in turn with the rest: bytes a second of another scan of so many bytes. */
  readonly reference?: ((bytes: number) => number) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told the rounds that are done. */
  readonly progress?: ((rounds: number) => void) | undefined;
}

/** Shares of the leaves that are dirty. */
const SHARES = [0, 0.001, 0.01, 0.1, 1] as const;
/** Rounds with dirty leaves: making them dirty takes longer than all else. */
const MOST_DIRTY_ROUNDS = 5;
/** Bytes of tables that are scanned again and again: a quarter of a small second-level cache. */
const WARM_BYTES = 131_072;
const WARM_SCANS = 200;

/** Harvests real tables and takes the time; undefined if it was interrupted. */
export async function measureHarvest(options: MeasureOptions): Promise<HarvestMeasurement | undefined> {
  const { clock, signal, rounds, reference } = options;
  const shared = buildSharedTables(options);
  const threads = [...new Set([1, ...options.threads])].sort((a, b) => a - b);
  const lanes = await HarvestLanes.start(shared, threads.at(-1) ?? 1);
  const samples = new Samples(options.seed);
  try {
    // new leaves may be dirty; and code gets quick
    for (const count of threads) lanes.harvest(count);
    lanes.bits.fill(0);
    const source = new Uint8Array(shared.memory.buffer, 0, Math.min(shared.leafBytes, shared.memory.buffer.byteLength));
    const copy = new Uint8Array(source.length).fill(1);
    const warm = warmScan(shared, clock);
    const writer = new DirtyWriter(shared, undefined, options.seed);
    const timed = (work: () => void): number => {
      const from = clock();
      work();
      return clock() - from;
    };
    for (let round = 0; round < rounds; round++) {
      // to and fro, so that no count of threads is always the first
      const order = round % 2 === 0 ? threads : threads.toReversed();
      const rates = new Map<number, number>();
      for (const count of order) rates.set(count, shared.leafBytes / timed(() => lanes.harvest(count)));
      const one = rates.get(1) ?? Number.NaN;
      for (const [count, rate] of rates) {
        samples.add(`cold ${count}`, rate * 1e9);
        samples.add(`scaling ${count}`, rate / one);
      }
      const copied = source.length / timed(() => copy.set(source));
      samples.add('copy', copied * 1e9);
      samples.add('to copy', one / copied);
      const other = reference?.(shared.leafBytes);
      if (other !== undefined) {
        samples.add('reference', other);
        samples.add('to reference', (one * 1e9) / other);
      }
      samples.add('warm', warm());
      if (round < MOST_DIRTY_ROUNDS) {
        for (const share of SHARES) dirtyScan({ share, shared, lanes, writer, samples, timed });
      }
      // lets a signal through
      await new Promise((resolve) => setImmediate(resolve));
      if (signal?.aborted === true) return undefined;
      options.progress?.(round + 1);
    }
  } finally {
    await lanes.stop();
  }
  return {
    format: options.format,
    leafShift: options.leafShift,
    guestBytes: options.bytes,
    tableBytes: shared.leafBytes,
    entries: shared.leafBytes / 8,
    rounds,
    cold: threads.map((count) => ({
      threads: count,
      rate: samples.median(`cold ${count}`),
      scaling: samples.median(`scaling ${count}`),
    })),
    warm: samples.median('warm'),
    dirty: SHARES.map((share) => ({
      share,
      leaves: Math.round(leavesOf(shared) * share),
      rate: samples.median(`dirty ${share}`),
      perLeaf: samples.median(`per leaf ${share}`),
    })),
    copy: samples.median('copy'),
    toCopy: samples.median('to copy'),
    reference:
      reference === undefined
        ? undefined
        : { rate: samples.median('reference'), ratio: samples.median('to reference') },
    write: samples.median('write'),
  };
}

interface DirtyRound {
  readonly share: number;
  readonly shared: SharedTables;
  readonly lanes: HarvestLanes;
  readonly writer: DirtyWriter;
  readonly samples: Samples;
  readonly timed: (work: () => void) => number;
}

/** Makes a share of the leaves dirty and harvests them with one thread. Shares come in ascending order, 0 first. */
function dirtyScan({ share, shared, lanes, writer, samples, timed }: DirtyRound): void {
  const leaves = leavesOf(shared);
  const leafPages = shared.pages / leaves;
  const wanted = Math.round(leaves * share);
  const random = new Random(wanted);
  const writing = timed(() => {
    if (share === 1) for (let leaf = 0; leaf < leaves; leaf++) writer.writeTo(leaf * leafPages);
    else for (let i = 0; i < wanted; i++) writer.writeTo(random.below(leaves) * leafPages);
  });
  if (share === 0.01 && wanted > 0) samples.add('write', writing / wanted);
  let found = 0;
  const ns = timed(() => {
    found = lanes.harvest(1).leaves;
  });
  lanes.bits.fill(0);
  samples.add(`dirty ${share}`, (shared.leafBytes / ns) * 1e9);
  if (share === 0) samples.clean = ns;
  samples.add(`per leaf ${share}`, found === 0 ? 0 : Math.max(0, ns - samples.clean) / found);
}

/** Bytes a second of the first tables, again and again, by the thread that asks. */
function warmScan(shared: SharedTables, clock: () => number): () => number {
  const leaves = Math.min(leavesOf(shared), (WARM_BYTES / shared.leafBytes) * leavesOf(shared));
  const pages = Math.ceil(leaves) * (shared.pages / leavesOf(shared));
  const words = new Int32Array(Math.ceil(leaves / 32) + 1);
  const harvester = new RangeHarvester(shared, { words, pageShift: shared.leafShift });
  return () => {
    for (let i = 0; i < WARM_SCANS; i++) harvester.harvest(0, pages);
    const rates: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const from = clock();
      for (let i = 0; i < WARM_SCANS; i++) harvester.harvest(0, pages);
      rates.push((WARM_SCANS * (shared.leafBytes / leavesOf(shared)) * Math.ceil(leaves) * 1e9) / (clock() - from));
    }
    return medianOf(rates);
  };
}

function leavesOf({ pages, pageBytes, leafShift }: SharedTables): number {
  return (pages * pageBytes) / 2 ** leafShift;
}

/** Samples by name. */
class Samples {
  /** ns of the newest scan without dirty leaves. */
  clean = 0;
  readonly #values = new Map<string, number[]>();
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  add(name: string, value: number): void {
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else values.push(value);
  }

  median(name: string): Estimate {
    const values = this.#values.get(name) ?? [];
    return estimateMedian(values, values.length, this.#random);
  }
}
