import { countStacks } from '../../replay/distances/counting-stacks.ts';
import { createStackDistances } from '../../replay/distances/stack-distances.ts';
import { limitHardware } from '../limit/limit-hardware.ts';
import { simulatedTrace } from '../simulated-trace.ts';
import type { BenchCase, BenchSuite } from '../suite.ts';

const SETS = [1, 2, 4, 8, 16, 32, 64, 128];
const WAYS = 8;
const ENTRIES = 1 << 17;

/** Many geometries of an IOTLB from one reading, from memory: `npm run bench:sweep` sets them beside one. */
export const sweep: BenchSuite = {
  name: 'sweep',
  summary: '64 geometries of an IOTLB from one reading',
  prepare() {
    const traces = [
      ['dma', simulatedTrace('dma', ['events=512Ki', 'pages=512'])],
      ['zipf', simulatedTrace('zipf', ['events=256Ki', 'pages=64Ki'])],
    ] as const;
    return traces.flatMap(([workload, trace]): BenchCase[] => [
      {
        name: `${workload}, misses by cause`,
        amount: trace.eventCount,
        unit: 'events',
        run() {
          const found = createStackDistances({ hardware: limitHardware, capacity: ENTRIES, sets: SETS, ways: WAYS });
          for (const segment of trace.segments()) found.play(segment);
          return found.withSets(64, 4).misses;
        },
      },
      {
        name: `${workload}, misses alone`,
        amount: trace.eventCount,
        unit: 'events',
        run() {
          const steps = countStacks(trace, limitHardware, SETS, WAYS);
          for (;;) {
            const step = steps.next();
            if (step.done === true) return step.value?.misses(64, 4) ?? Number.NaN;
          }
        },
      },
    ]);
  },
};
