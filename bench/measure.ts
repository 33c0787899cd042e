import type { Bench, Task } from 'tinybench';
import { IorrError } from '../traces/errors.ts';
import type { BenchCase } from './suite.ts';

/** Rates are in units per second of wall time; the fastest run is `max`. */
export interface BenchFigure {
  readonly suite: string;
  readonly name: string;
  readonly unit: 'events/s' | 'lines/s' | 'ioctls/s' | 'bytes/s';
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Range of the middle half of all runs, as a share of the median. */
  readonly spread: number;
  readonly runs: number;
  /** Units that one run gets through. */
  readonly amount: number;
  /**
   * How far the same code seems to differ from itself: |A / B - 1| of the medians of two entries of it, measured in turns
   * (ABBA). A change smaller than this says nothing.
   */
  readonly noise: number;
  /** Rates of runs, at most 200 of them, evenly from all: what a later comparison draws from. */
  readonly samples: readonly number[];
}

const MOST_SAMPLES = 200;

/** Turns of A, B, B, A that a case's time is split into. */
const ROUNDS = 3;

interface Entry {
  readonly task: Task;
  /** Milliseconds of each run. */
  readonly samples: number[];
}

async function loadBench(): Promise<typeof Bench> {
  try {
    return (await import('tinybench')).Bench;
  } catch (error) {
    throw new IorrError('USAGE', 'benchmarks need the package tinybench, which is not there', {
      hint: 'npm install tinybench',
      cause: error,
    });
  }
}

/** The q-quantile of samples, between neighbours where it falls between them. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

function evenly(samples: readonly number[], most: number): readonly number[] {
  const step = Math.max(1, samples.length / most);
  return Array.from({ length: Math.min(most, samples.length) }, (_, i) => samples[Math.floor(i * step)] ?? 0);
}

async function runOnce(entry: Entry, waits: boolean): Promise<void> {
  const { result } = waits ? await entry.task.run() : entry.task.runSync();
  if (result.state === 'errored') throw result.error;
  if (result.state !== 'completed') throw new Error(`benchmark ended as ${result.state}`);
  entry.samples.push(...(result.latency.samples ?? []));
}

/** Measures one case for about `milliseconds`, with its own twin as control. `stop` is asked between turns. */
export async function measure(
  suite: string,
  benchCase: BenchCase,
  milliseconds: number,
  stop: () => boolean,
): Promise<BenchFigure | undefined> {
  const Bench = await loadBench();
  const time = Math.max(1, milliseconds / (ROUNDS * 4));
  let kept = 0;
  const waits = benchCase.waits === true;
  const work = (): void => {
    kept += benchCase.run() as number;
  };
  const workAndWait = async (): Promise<void> => {
    kept += await benchCase.run();
  };
  const bench = new Bench({
    time,
    iterations: 1,
    warmup: true,
    warmupTime: time,
    warmupIterations: 1,
    retainSamples: true,
  });
  const hooks = { beforeEach: () => benchCase.before?.() };
  bench.add('A', waits ? () => workAndWait() : () => work(), hooks);
  bench.add('B', waits ? () => workAndWait() : () => work(), hooks);
  const [first, second] = bench.tasks;
  if (first === undefined || second === undefined) throw new Error('tinybench lost a task');
  const a: Entry = { task: first, samples: [] };
  const b: Entry = { task: second, samples: [] };
  if (waits) await first.warmup();
  else first.warmupSync();
  for (let round = 0; round < ROUNDS; round++) {
    for (const entry of [a, b, b, a]) {
      if (stop()) return undefined;
      await runOnce(entry, waits);
      // Lets signals and timers be seen; a suite would run to its end without.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  if (Number.isNaN(kept)) throw new Error(`${benchCase.name} did no work`);
  const all = [...a.samples, ...b.samples];
  const rate = (ms: number): number => (benchCase.amount / ms) * 1000;
  return {
    suite,
    name: benchCase.name,
    unit: `${benchCase.unit}/s`,
    median: rate(quantile(all, 0.5)),
    min: rate(Math.max(...all)),
    max: rate(Math.min(...all)),
    spread: (quantile(all, 0.75) - quantile(all, 0.25)) / quantile(all, 0.5),
    runs: all.length,
    amount: benchCase.amount,
    noise: Math.abs(quantile(a.samples, 0.5) / quantile(b.samples, 0.5) - 1),
    samples: evenly(all, MOST_SAMPLES).map((ms) => Math.round(rate(ms))),
  };
}
