import { eventJson, eventText } from '../../analyzers/event-text.ts';
import { IorrError } from '../../traces/errors.ts';
import { plainEvents } from '../../traces/event.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { TraceFile } from '../../traces/format/reader.ts';
import { toJson } from '../../traces/plain-json.ts';
import type { Random } from '../../traces/random.ts';
import type { ReadPlan } from '../../traces/trace.ts';
import { baseTraces } from './base-traces.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutateTrace } from './mutate-trace.ts';
import { readEverything } from './read-everything.ts';

/** Events of each file that are also printed, as `cat` does. */
const PRINTED = 200;
/** A file within a process: what is refused is refused by these, with their hints. */
const EXPECTED = new Set(['FORMAT_EMPTY', 'FORMAT_UNKNOWN', 'TRACE_NEWER', 'TRACE_DAMAGED']);

function planOf(random: Random): ReadPlan {
  switch (random.below(4)) {
    case 0:
      return { shared: true };
    case 1:
      return { columns: { map: ['iova', 'size'], inv: ['w0'], ioctl: ['before'], dma: 'all' } };
    default:
      return {};
  }
}

/** Damaged trace files: opened, read twice (by any plan, then in full), checked and printed. */
export function fuzzTraces(): FuzzTarget {
  const bases = baseTraces();
  return {
    make: (random) => mutateTrace(bases, random),
    take(bytes, random) {
      let trace: TraceFile;
      try {
        trace = new TraceFile(memorySource(bytes, 'damaged.iorr'));
      } catch (error) {
        if (error instanceof IorrError && EXPECTED.has(error.code)) return { refused: error.code, events: 0 };
        throw error;
      }
      const events = readEverything(trace, planOf(random));
      const lost = trace.health.entries.find(({ name }) => name === 'events in damaged segments')?.count ?? 0;
      if (events + lost !== trace.eventCount) throw new Error(`${events} read, ${lost} lost, of ${trace.eventCount}`);
      let printed = 0;
      for (const segment of trace.segments()) {
        for (const event of plainEvents(segment, trace.strings)) {
          if (++printed > PRINTED) break;
          eventText(event);
          JSON.parse(eventJson(event));
        }
        if (printed > PRINTED) break;
      }
      JSON.parse(
        toJson({ header: trace.header, notes: trace.notes, health: trace.health, range: trace.timeRange ?? null }),
      );
      return { refused: undefined, events };
    },
  };
}
