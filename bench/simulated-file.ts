import { readSettings } from '../recorder/simulate/parameter.ts';
import { simulatedHeader } from '../recorder/simulate/workload.ts';
import { findWorkload } from '../recorder/simulate/workloads.ts';
import { memorySource } from '../traces/format/bytes-io.ts';
import { defaultCompression } from '../traces/format/compression.ts';
import { TraceFile } from '../traces/format/reader.ts';
import { TraceWriter } from '../traces/format/writer.ts';
import { EMPTY_HEALTH } from '../traces/header.ts';
import { Random } from '../traces/random.ts';

/** A workload's trace as the bytes of a file, in memory. */
export function simulatedFile(name: string, settings: readonly string[]): TraceFile {
  const workload = findWorkload(name);
  const chunks: Uint8Array[] = [];
  const sink = { write: (bytes: Uint8Array) => chunks.push(bytes.slice()) };
  const writer = new TraceWriter(sink, simulatedHeader(workload, '0'), { compression: defaultCompression() });
  const run = workload.generate(writer, readSettings(name, workload.parameters, settings), new Random(1));
  while (run.next().done !== true);
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return new TraceFile(memorySource(Buffer.concat(chunks)));
}
