import { readSettings } from '../recorder/simulate/parameter.ts';
import { simulatedHeader } from '../recorder/simulate/workload.ts';
import { findWorkload } from '../recorder/simulate/workloads.ts';
import { MemoryTrace } from '../traces/memory-trace.ts';
import { Random } from '../traces/random.ts';

/** A simulated trace in memory: the inputs of benchmarks and of checks, the same on every machine. */
export function simulatedTrace(workload: string, settings: readonly string[], seed = 1): MemoryTrace {
  const found = findWorkload(workload);
  const values = readSettings(workload, found.parameters, settings);
  const trace = new MemoryTrace(simulatedHeader(found, '0', values));
  const run = found.generate(trace, values, new Random(seed));
  while (run.next().done !== true);
  return trace;
}
