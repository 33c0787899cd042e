import { countingPlan, createCountingReplay } from '../../replay/engine/counting-replay.ts';
import type { CountingReplay } from '../../replay/engine/counting-replay.ts';
import { vtdServer } from '../../replay/hardware/vtd-server.ts';
import type { TraceFile } from '../../traces/format/reader.ts';
import { simulatedFile } from '../simulated-file.ts';
import type { BenchCase, BenchSuite } from '../suite.ts';

function newReplay(): CountingReplay {
  const replay = createCountingReplay(vtdServer, { unmappedAccess: 'fill', room: 1 << 19 });
  if (replay === undefined) throw new RangeError('the hardware must suit');
  return replay;
}

function fromFile(trace: TraceFile): number {
  const replay = newReplay();
  for (const segment of trace.segments(countingPlan(replay))) replay.play(segment);
  return replay.counts().misses;
}

/** The words of a trace, played again and again by the kernel from an empty cache. */
function byKernel(name: string, trace: TraceFile): BenchCase {
  const replay = newReplay();
  const { kernel } = replay;
  for (const segment of trace.segments(countingPlan(replay))) replay.gather(segment);
  const words = kernel.waiting;
  const empty = new Int32Array(kernel.entries().length);
  return {
    name: `${name}, kernel alone`,
    amount: words,
    unit: 'events',
    before: () => kernel.setEntries(empty),
    run: () => {
      kernel.play(words);
      return kernel.counts().misses;
    },
  };
}

/** `iorr replay --counts` in one thread: from a file in memory to the result, and its kernel alone. */
export const counting: BenchSuite = {
  name: 'counting',
  summary: 'replays that only count: from a file to the result, and their kernel alone',
  prepare() {
    const traces = [
      ['dma', simulatedFile('dma', ['events=256Ki', 'pages=512'])],
      ['zipf', simulatedFile('zipf', ['events=192Ki', 'pages=16Ki'])],
    ] as const;
    return traces.flatMap(([name, trace]): readonly BenchCase[] => [
      { name: `${name}, from file`, amount: trace.eventCount, unit: 'events', run: () => fromFile(trace) },
      byKernel(name, trace),
    ]);
  },
};
