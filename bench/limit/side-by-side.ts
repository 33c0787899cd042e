import { spawn } from 'node:child_process';
import { countInWorkers } from '../../replay/engine/count-pool.ts';
import { openTrace } from '../../traces/file.ts';
import { limitHardware } from './limit-hardware.ts';

/** A file counted by several threads, beside as many C programs that run at once: what this machine's cores give to anybody. */
export interface SideBySide {
  readonly workers: number;
  /** By the wall clock from the file to the result, the start of the workers included; median of the rounds. */
  readonly seconds: number;
  /** How many times as fast as one thread; median of the rounds. */
  readonly times: number;
  /** How many times the work of one C program so many do at once in the same time; median of the rounds. */
  readonly ceiling: number;
}

/** Rounds of a C program: its start must not count. */
const C_ROUNDS = 5;

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >>> 1] ?? Number.NaN;

/** Counts the file `trace` by each number of workers, and plays the stream `name` by the C program, in turn. */
export async function compareWorkers(
  trace: string,
  program: string,
  name: string,
  workers: readonly number[],
  rounds: number,
): Promise<readonly SideBySide[]> {
  const all = workers.map((count) => ({
    count,
    seconds: [] as number[],
    times: [] as number[],
    ceiling: [] as number[],
  }));
  for (let round = 0; workers.length > 0 && round < rounds; round++) {
    const alone = await secondsOf(() => countFile(trace, 1));
    const program1 = await secondsOf(() => runAtOnce(program, name, 1));
    for (const { count, seconds, times, ceiling } of all) {
      const several = count === 1 ? alone : await secondsOf(() => countFile(trace, count));
      seconds.push(several);
      times.push(alone / several);
      ceiling.push(
        (count * program1) / (count === 1 ? program1 : await secondsOf(() => runAtOnce(program, name, count))),
      );
    }
  }
  return all.map(({ count, seconds, times, ceiling }) => ({
    workers: count,
    seconds: median(seconds),
    times: median(times),
    ceiling: median(ceiling),
  }));
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return (performance.now() - before) / 1000;
}

async function countFile(file: string, workers: number): Promise<void> {
  const trace = openTrace(file);
  try {
    await countInWorkers(file, trace, limitHardware, workers, { signal: new AbortController().signal });
  } finally {
    trace.close();
  }
}

function runAtOnce(program: string, name: string, count: number): Promise<unknown> {
  return Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<void>((resolve, reject) => {
          const child = spawn(program, [name, String(C_ROUNDS)], { stdio: 'ignore' });
          child.once('error', reject);
          child.once('close', () => resolve());
        }),
    ),
  );
}
