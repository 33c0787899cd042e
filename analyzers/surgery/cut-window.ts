import { createRowCopier } from '../../traces/row-copier.ts';
import { STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { EventSink, Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { CarriedMaps } from './carried-maps.ts';
import { CarriedRows } from './carried-rows.ts';
import type { Steps, Surgery } from './surgery.ts';

/** What a cut has. */
export interface CutReport {
  readonly fromEvent: number;
  readonly toEvent: number;
  readonly fromNs: Nanoseconds;
  readonly toNs: Nanoseconds;
  /** Events of the window. */
  readonly kept: number;
  /** Events that stand for what was before, in front of them. */
  readonly carried: number;
  readonly carriedStreams: { readonly [stream: string]: number };
}

/** What holds at a cut. */
interface CarriedState {
  readonly maps: CarriedMaps;
  /** Indexes of the events that say the rest, in order. */
  readonly events: readonly number[];
}

function stateAt(trace: Trace, cut: number): CarriedState {
  const maps = new CarriedMaps();
  const rows = new CarriedRows();
  const columns = {
    map: 'all',
    unmap: 'all',
    attach: 'all',
    inv: ['form', 'w0', 'unit', 'queue'],
    dirty: ['op', 'hwpt', 'name', 'space'],
    ioctl: ['request', 'ret', 'fd', 'path', 'arg', 'before'],
  } as const;
  for (const segment of trace.segments({ columns, reuse: true })) {
    if (segment.firstEvent >= cut) break;
    const cursor = new Int32Array(STREAM_NAMES.length);
    const count = Math.min(segment.count, cut - segment.firstEvent);
    for (let i = 0; i < count; i++) {
      const id = segment.stream[i]!;
      const row = cursor[id]!++;
      const event = segment.firstEvent + i;
      if (id === STREAM_ID.map) {
        maps.map(segment.rows.map.columns, row, segment.cpu[i]!, segment.task[i]!, segment.source[i]!);
      } else if (id === STREAM_ID.unmap) maps.unmap(segment.rows.unmap.columns, row);
      else if (id === STREAM_ID.attach) rows.attach(segment, row, event);
      else if (id === STREAM_ID.inv) rows.inv(segment, row, event);
      else if (id === STREAM_ID.dirty) rows.dirty(segment, row, event);
      else if (id === STREAM_ID.mark) rows.mark(event);
      else if (id === STREAM_ID.ioctl) rows.ioctl(segment, row, event);
      else if (id === STREAM_ID.call) rows.call(event);
    }
  }
  return { maps, events: rows.events() };
}

/** Times of two events, where there are such. */
function timesOf(trace: Trace, from: number, to: number): { fromNs: Nanoseconds; toNs: Nanoseconds } {
  let fromNs = 0;
  let toNs = 0;
  for (const { firstEvent, count, time } of trace.segments({ columns: {}, reuse: true })) {
    if (from >= firstEvent && from < firstEvent + count) fromNs = time[from - firstEvent]!;
    if (to - 1 >= firstEvent && to - 1 < firstEvent + count) toNs = time[to - 1 - firstEvent]!;
  }
  return { fromNs, toNs };
}

/**
 * Events [`from`, `to`) of a trace, and in front of them the state at the cut: `header.carried` events at the time of the first one.
 * They are maps that are alive, the last word on every attachment, dirty tracking and command queue, the phase, and the calls that
 * made objects. No command, access or fault is among them, so that what a replay counts is the window's; caches are empty at its
 * start.
 *
 * Reads the trace up to `from` once for the state, then the window. Memory: live maps, attachments, calls.
 */
export function cutWindow(trace: Trace, from: number, to: number): Surgery<CutReport> {
  const { maps, events } = stateAt(trace, from);
  const carried = maps.count + events.length;
  const { carried: _before, ...header } = trace.header;
  // what the input itself carried in is part of the state, or cut off
  const kept = { ...header, ...(carried > 0 ? { carried } : {}) };
  return { header: kept, steps: (sink) => cutSteps(trace, from, to, { maps, events }, sink) };
}

function* cutSteps(
  trace: Trace,
  from: number,
  to: number,
  { maps, events }: CarriedState,
  sink: EventSink,
): Steps<CutReport> {
  const { fromNs, toNs } = timesOf(trace, from, to);
  const copyRow = createRowCopier(trace, sink);
  const carried = new Int32Array(STREAM_NAMES.length);
  let kept = 0;
  let next = 0;
  let written = false;
  const writeMaps = (): void => {
    maps.write(sink, fromNs, (ref) => (ref < 0 ? -1 : sink.intern(trace.strings[ref] ?? '')));
    carried[STREAM_ID.map]! += maps.count;
    written = true;
  };
  for (const segment of trace.segments({ reuse: true })) {
    const { firstEvent, count } = segment;
    if (firstEvent >= to) break;
    if (firstEvent + count <= from && (events[next] ?? Number.POSITIVE_INFINITY) >= firstEvent + count) continue;
    const cursor = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < count; i++) {
      const id = segment.stream[i]!;
      const row = cursor[id]!++;
      const event = firstEvent + i;
      if (event >= to) break;
      if (event < from) {
        if (events[next] !== event) continue;
        next++;
        carried[id]!++;
        copy(segment, i, id, row, fromNs);
        continue;
      }
      if (!written) writeMaps();
      kept++;
      copy(segment, i, id, row, segment.time[i]!);
    }
    yield;
  }
  if (!written) writeMaps();
  const streams: Record<string, number> = {};
  STREAM_NAMES.forEach((name, id) => {
    if (carried[id]! > 0) streams[name] = carried[id]!;
  });
  const sum = carried.reduce((total, count) => total + count, 0);
  return { fromEvent: from, toEvent: to, fromNs, toNs, kept, carried: sum, carriedStreams: streams };

  function copy(segment: Segment, i: number, id: number, row: number, time: Nanoseconds): void {
    const at = sink.begin(id, time, segment.cpu[i]!, segment.task[i]!, segment.source[i]);
    copyRow(segment, id, row, at);
  }
}
