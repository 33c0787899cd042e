import { IorrError } from '../../traces/errors.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { createRowCopier } from '../../traces/row-copier.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { EventSink, Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { EventCursor } from '../import/join/event-cursor.ts';

/** Sources have numbers of 8 bits. */
const MOST_SOURCES = 256;
/** Events between two steps. */
const STEP_EVENTS = 1 << 16;

/** The header of traces that lie beside each other: the first one's clock, all sources, and what any of them could see. */
export function mergedHeader(headers: readonly TraceHeader[]): TraceHeader {
  const [first] = headers;
  if (first === undefined) throw new RangeError('a trace expected');
  const sources = headers.flatMap((header) => header.sources);
  if (sources.length > MOST_SOURCES) {
    throw new IorrError('LIMIT', `the traces have ${sources.length} sources together, ${MOST_SOURCES} at most`, {
      hint: 'merge fewer of them',
    });
  }
  const fidelity: { [S in StreamName]?: 'full' | 'partial' } = {};
  for (const header of headers) {
    for (const name of STREAM_NAMES) {
      const seen = header.fidelity[name];
      // a part of the whole unless all that look at it see all
      if (seen !== undefined) fidelity[name] = fidelity[name] === 'partial' ? 'partial' : seen;
    }
  }
  const { carried: _carried, ...rest } = first;
  return {
    ...rest,
    sources,
    host: Object.assign({}, ...headers.map(({ host }) => host).reverse()) as TraceHeader['host'],
    clock: { ...first.clock, resolutionNs: Math.max(...headers.map(({ clock }) => clock.resolutionNs)) },
    fidelity,
  };
}

/** All events of all traces in the order of their times plus `offsets`; of equal ones the first trace's come first. Lazily. */
export function* mergeByTime(
  traces: readonly Trace[],
  offsets: readonly Nanoseconds[],
  sink: EventSink,
): Generator<void> {
  let sources = 0;
  const inputs = traces.map((trace, i) => {
    const input = {
      cursor: new EventCursor(trace),
      copy: createRowCopier(trace, sink),
      offset: offsets[i] ?? 0,
      source: sources,
      live: true,
    };
    sources += trace.header.sources.length;
    input.live = input.cursor.next();
    return input;
  });
  for (let events = 1; ; events++) {
    let next: (typeof inputs)[number] | undefined;
    for (const input of inputs) {
      if (!input.live) continue;
      if (next === undefined || input.cursor.time + input.offset < next.cursor.time + next.offset) next = input;
    }
    if (next === undefined) return;
    const { cursor, copy, offset, source } = next;
    const { segment, stream } = cursor;
    const at = sink.begin(
      stream,
      cursor.time + offset,
      cursor.cpu,
      cursor.task,
      source + (segment!.source[cursor.index] ?? 0),
    );
    copy(segment!, stream, cursor.row, at);
    next.live = cursor.next();
    if (events % STEP_EVENTS === 0) yield;
  }
}
