import type { TraceHeader, TraceHost } from '../../traces/header.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import type { Random } from '../../traces/random.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { EventSink } from '../../traces/trace.ts';
import type { NumberParameter, Parameter, ParameterValues } from './parameter.ts';

/** A seeded maker of traces of any size. It holds what its devices hold, never the events that it made. */
export interface Workload {
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  /** What `--set` takes; the first is `EVENTS`. */
  readonly parameters: readonly Parameter[];
  /** Streams that it can fill: the trace's fidelity. */
  readonly streams: readonly StreamName[];
  /** What the header says of the machine beside the usual, where values decide it. */
  readonly host?: (values: ParameterValues) => Pick<TraceHost, 'kernel' | 'cpus'>;
  /**
   * Writes events in time order into the sink until there are `events` of them, and yields the number so far now and then
   * (at most every `YIELD_EVENTS`), where the caller may stop it. The same values and seed give the same events.
   * Throws `IorrError` USAGE before the first event if values don't go together.
   */
  generate(sink: EventSink, values: ParameterValues, random: Random): Generator<number>;
}

/** Events between two yields of a workload, about. */
export const YIELD_EVENTS = 8192;

export const EVENTS: NumberParameter = {
  kind: 'number',
  name: 'events',
  about: 'events to make; the operation in which the number is reached is completed',
  default: 1_000_000,
  min: 1,
  max: 1e11,
};

/** Header of a simulated trace: a clock of its own that starts at 0. */
export function simulatedHeader(workload: Workload, toolVersion: string, values?: ParameterValues): TraceHeader {
  return {
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion,
    sources: [{ format: 'simulate', producer: `iorr ${workload.name}` }],
    host: { pageSize: 4096, iommu: 'vtd', ...(values === undefined ? {} : workload.host?.(values)) },
    clock: { epochNs: '0', name: 'simulated', resolutionNs: 1 },
    fidelity: Object.fromEntries(workload.streams.map((stream) => [stream, 'full'])),
  };
}
