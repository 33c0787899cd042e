import type { TraceFile } from '../../traces/format/reader.ts';
import type { ReadPlan } from '../../traces/trace.ts';
import { simulatedFile } from '../simulated-file.ts';
import type { BenchCase, BenchSuite } from '../suite.ts';

function readAll(trace: TraceFile, plan: ReadPlan): number {
  let sum = 0;
  for (const segment of trace.segments(plan)) sum += segment.count + (segment.time[0] ?? 0);
  return sum;
}

export const decode: BenchSuite = {
  name: 'decode',
  summary: 'frames of the trace format into columns',
  prepare() {
    const nic = simulatedFile('packet-nic', ['events=192Ki', 'calls=yes']);
    const dma = simulatedFile('dma', ['events=192Ki', 'pages=512']);
    const decoded = (name: string, trace: TraceFile, plan: ReadPlan): BenchCase => ({
      name,
      amount: trace.eventCount,
      unit: 'events',
      run: () => readAll(trace, plan),
    });
    // as all commands read that go through a trace from front to back; `kept` are arrays that somebody holds
    const reuse = true;
    return [
      decoded('packet-nic, all columns', nic, { reuse }),
      decoded('packet-nic, all columns, kept', nic, {}),
      decoded('packet-nic, commands only', nic, { reuse, columns: { inv: ['form', 'w0', 'w1'] } }),
      decoded('dma, all columns', dma, { reuse }),
      decoded('dma, all columns, kept', dma, {}),
    ];
  },
};
