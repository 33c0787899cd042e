import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { toolVersion } from '../../traces/tool.ts';
import { readSettings } from './parameter.ts';
import { simulatedHeader } from './workload.ts';
import { findWorkload } from './workloads.ts';

/** What a simulated trace is made of. */
export interface SimulateOptions {
  /** Parameters of the workload, as `events=20000`. */
  readonly set?: readonly string[];
  /** The same seed makes the same trace; 1 unless given. */
  readonly seed?: number;
}

/** A trace of a seeded workload, in memory. Throws `IorrError` USAGE for a workload or a parameter that there is not. */
export function simulateTrace(workload: string, { set = [], seed = 1 }: SimulateOptions = {}): MemoryTrace {
  const found = findWorkload(workload);
  const values = readSettings(workload, found.parameters, set);
  const trace = new MemoryTrace(simulatedHeader(found, toolVersion(), values));
  const steps = found.generate(trace, values, new Random(seed));
  while (steps.next().done !== true);
  return trace;
}
