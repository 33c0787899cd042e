import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countingPlan, createCountingReplay } from '../../replay/engine/counting-replay.ts';
import type { CountingReplay } from '../../replay/engine/counting-replay.ts';
import { createTrace, openTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { Random } from '../../traces/random.ts';
import { buildYardstick, runYardstick } from './c-yardstick.ts';
import type { YardstickRun } from './c-yardstick.ts';
import { limitHardware } from './limit-hardware.ts';
import type { LimitShape, LimitStream } from './limit-streams.ts';
import { limitHeader, writeLimitTrace } from './limit-trace.ts';
import { compareWorkers, median } from './side-by-side.ts';
import type { SideBySide } from './side-by-side.ts';

/** Rates are in million events per second of CPU time. */
export interface LimitComparison {
  readonly name: string;
  readonly about: string;
  readonly events: number;
  readonly goal: number;
  /** Medians over the rounds; `ratio` is the median of the rounds' ratios. */
  readonly yardstick: number;
  readonly kernel: number;
  readonly ratio: number;
  /** From the file to the result: opened, decoded, played. */
  readonly fromFile: number;
  readonly bytesPerEvent: number;
  readonly workers: readonly SideBySide[];
  /** Counts that differ, by name; none if all is well. */
  readonly differences: readonly string[];
}

export interface LimitOptions {
  readonly events: number;
  readonly rounds: number;
  /** Numbers of workers to count the file with, beside. */
  readonly workers?: readonly number[];
}

/** CPU time of this process, in ns, for a piece of work. */
function cpuTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return Math.max(1, user + system) * 1000;
}

function newReplay(room?: number): CountingReplay {
  const replay = createCountingReplay(limitHardware, room === undefined ? {} : { room });
  if (replay === undefined) throw new RangeError('the geometry of the limit must suit');
  return replay;
}

function differences(c: YardstickRun, replay: CountingReplay, pieces: number): string[] {
  const { hits, misses, walkReads, faults, invalidated, outputs } = replay.counts();
  const own = {
    hit: hits,
    miss: misses,
    walk: walkReads,
    fault: faults,
    inv: invalidated,
    // a range that no one command can name is two
    cmd: replay.controls.commands - pieces,
    sum: String(outputs),
  };
  return Object.entries(own).flatMap(([name, value]) => {
    const expected = c[name as keyof YardstickRun];
    return value === expected ? [] : [`${name} ${value}, the C program ${expected}`];
  });
}

/** Plays one shape by the C program and by the kernel, turn by turn in one run. */
export async function compareLimit(
  shape: LimitShape,
  { events, rounds, workers = [] }: LimitOptions,
): Promise<LimitComparison> {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-limit-'));
  try {
    const program = buildYardstick(folder);
    const path = join(folder, shape.name);
    const stream = shape.generate(events, new Random(1));
    writeFileSync(`${path}.map`, stream.maps);
    writeFileSync(`${path}.ev`, stream.events);
    const pieces = writeTrace(`${path}.iorr`, shape.name, stream);

    const trace = openTrace(`${path}.iorr`);
    // the whole trace as words in memory, as the C program has it
    const replay = newReplay(events * 3 + 16);
    const { kernel } = replay;
    for (const segment of trace.segments(countingPlan(replay))) replay.gather(segment);
    const words = kernel.waiting;
    const empty = new Int32Array(kernel.entries().length);
    kernel.run();
    const ofC = runYardstick(program, path, 1);
    const unlike = differences(ofC, replay, pieces);
    const yardsticks: number[] = [];
    const kernels: number[] = [];
    for (let round = 0; round < rounds; round++) {
      yardsticks.push((events / runYardstick(program, path, 1).cpuNs) * 1000);
      kernel.setEntries(empty);
      kernels.push((events / cpuTime(() => kernel.play(words))) * 1000);
    }
    const { eventCount, bytes } = trace;
    trace.close();
    const fromFile = Array.from({ length: 3 }, () => (eventCount / cpuTime(() => playFile(`${path}.iorr`))) * 1000);
    const workersBeside = await compareWorkers(`${path}.iorr`, program, path, workers, Math.min(rounds, 5));
    return {
      name: shape.name,
      about: shape.about,
      events,
      goal: shape.goal,
      yardstick: median(yardsticks),
      kernel: median(kernels),
      ratio: median(kernels.map((rate, i) => rate / yardsticks[i]!)),
      fromFile: median(fromFile),
      bytesPerEvent: bytes / eventCount,
      workers: workersBeside,
      differences: unlike,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes a stream as a trace; returns how many of its ranges became two commands. */
function writeTrace(file: string, name: string, { maps, events }: LimitStream): number {
  const writer = createTrace(file, limitHeader(name));
  const pieces = writeLimitTrace(writer, maps, events, events.length / 8);
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return pieces;
}

function playFile(file: string): void {
  const trace = openTrace(file);
  const replay = newReplay();
  for (const segment of trace.segments(countingPlan(replay))) replay.play(segment);
  replay.counts();
  trace.close();
}
