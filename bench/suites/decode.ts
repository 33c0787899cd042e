import { readSettings } from '../../recorder/simulate/parameter.ts';
import { simulatedHeader } from '../../recorder/simulate/workload.ts';
import { findWorkload } from '../../recorder/simulate/workloads.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { defaultCompression } from '../../traces/format/compression.ts';
import { TraceFile } from '../../traces/format/reader.ts';
import { TraceWriter } from '../../traces/format/writer.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { Random } from '../../traces/random.ts';
import type { ReadPlan } from '../../traces/trace.ts';
import type { BenchCase, BenchSuite } from '../suite.ts';

function traceFile(name: string, settings: readonly string[]): TraceFile {
  const workload = findWorkload(name);
  const chunks: Uint8Array[] = [];
  const sink = { write: (bytes: Uint8Array) => chunks.push(bytes.slice()) };
  const writer = new TraceWriter(sink, simulatedHeader(workload, '0'), { compression: defaultCompression() });
  const run = workload.generate(writer, readSettings(name, workload.parameters, settings), new Random(1));
  while (run.next().done !== true);
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return new TraceFile(memorySource(Buffer.concat(chunks)));
}

function readAll(trace: TraceFile, plan: ReadPlan): number {
  let sum = 0;
  for (const segment of trace.segments(plan)) sum += segment.count + (segment.time[0] ?? 0);
  return sum;
}

export const decode: BenchSuite = {
  name: 'decode',
  summary: 'frames of the trace format into columns',
  prepare() {
    const nic = traceFile('packet-nic', ['events=192Ki', 'calls=yes']);
    const dma = traceFile('dma', ['events=192Ki', 'pages=512']);
    const decoded = (name: string, trace: TraceFile, plan: ReadPlan): BenchCase => ({
      name,
      amount: trace.eventCount,
      unit: 'events',
      run: () => readAll(trace, plan),
    });
    return [
      decoded('packet-nic, all columns', nic, {}),
      decoded('packet-nic, commands only', nic, { columns: { inv: ['form', 'w0', 'w1'] } }),
      decoded('dma, all columns', dma, {}),
    ];
  },
};
