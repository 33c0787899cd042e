import { plainEvents } from '../../traces/event.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import { STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { EventSink, ReadPlan, Trace } from '../../traces/trace.ts';
import { matches } from '../event-filter.ts';
import type { EventFilter } from '../event-filter.ts';
import type { Steps, Surgery } from './surgery.ts';

/** What a filter left. */
export interface FilterReport {
  readonly events: number;
  readonly kept: number;
  readonly streams: { readonly [stream: string]: { readonly events: number; readonly kept: number } };
}

/** Where a filter asks for more than time and stream, these have nothing to ask for and stay. */
const ALWAYS: ReadonlySet<StreamName> = new Set(['lost', 'mark']);

/** What can still be seen: streams that are left out were never seen, those that are thinned are so in part. */
function filteredFidelity(fidelity: TraceHeader['fidelity'], filter: EventFilter): TraceHeader['fidelity'] {
  const thinned = [filter.device, filter.domain, filter.pid, filter.iova].some((asked) => asked !== undefined);
  return Object.fromEntries(
    Object.entries(fidelity)
      .filter(([name]) => filter.streams?.has(name as StreamName) ?? true)
      .map(([name, seen]) => [name, thinned && !ALWAYS.has(name as StreamName) ? 'partial' : seen]),
  );
}

/** Threads of a process, as far as calls name them. */
function threadsOf(trace: Trace, pid: number): ReadonlySet<number> {
  const threads = new Set([pid]);
  if (trace.streamCounts.ioctl + trace.streamCounts.call === 0) return threads;
  for (const segment of trace.segments({ columns: { ioctl: ['pid'], call: ['pid'] }, reuse: true })) {
    const rows = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < segment.count; i++) {
      const id = segment.stream[i]!;
      const row = rows[id]!++;
      if (id !== STREAM_ID.ioctl && id !== STREAM_ID.call) continue;
      const { columns } = id === STREAM_ID.ioctl ? segment.rows.ioctl : segment.rows.call;
      if (columns.pid[row] === pid) threads.add(segment.task[i]!);
    }
  }
  return threads;
}

/**
 * The events that a filter takes, as they were. Events of stream `lost` in the time that is kept stay whatever the filter: they say
 * what is missing; marks stay where streams are not chosen. No state is carried in: `cutTrace` is for that.
 */
export function filterTrace(trace: Trace, filter: EventFilter): Surgery<FilterReport> {
  const header = { ...trace.header, fidelity: filteredFidelity(trace.header.fidelity, filter) };
  return { header, steps: (sink) => filterSteps(trace, filter, sink) };
}

function* filterSteps(of: Trace, { pid, ...rest }: EventFilter, sink: EventSink): Steps<FilterReport> {
  const threads = pid === undefined ? undefined : threadsOf(of, pid);
  const copyRow = createRowCopier(of, sink);
  const kept = new Int32Array(STREAM_NAMES.length);
  const inTime = {
    ...(rest.from === undefined ? {} : { from: rest.from }),
    ...(rest.to === undefined ? {} : { to: rest.to }),
  };
  for (const segment of of.segments({ ...inTime, reuse: true } satisfies ReadPlan)) {
    const rows = new Int32Array(STREAM_NAMES.length);
    let i = 0;
    for (const event of plainEvents(segment, of.strings)) {
      const id = segment.stream[i]!;
      const row = rows[id]!++;
      const stays =
        event.stream === 'lost' || (event.stream === 'mark' && rest.streams === undefined)
          ? matches(inTime, event)
          : matches(rest, event) && (threads === undefined || threads.has(event.task) || event.fields['pid'] === pid);
      if (stays) {
        kept[id]!++;
        const to = sink.begin(id, event.time, event.cpu, event.task, event.source);
        copyRow(segment, id, row, to);
      }
      i++;
    }
    yield;
  }
  const streams: Record<string, { events: number; kept: number }> = {};
  STREAM_NAMES.forEach((name, id) => {
    const all = of.streamCounts[name];
    if (all > 0) streams[name] = { events: all, kept: kept[id]! };
  });
  return { events: of.eventCount, kept: kept.reduce((sum, count) => sum + count, 0), streams };
}
