import { IorrError } from '../../../traces/errors.ts';
import type { TraceHeader } from '../../../traces/header.ts';
import { createRowCopier } from '../../../traces/row-copier.ts';
import type { EventSink, Trace } from '../../../traces/trace.ts';
import { EventCursor } from './event-cursor.ts';

/**
 * The header of two captures of one host that were written by the same clock: time 0 is the earlier one's. Throws `IorrError`
 * JOIN_IMPOSSIBLE where their clocks are not known to be one.
 */
export function besideHeaders(main: TraceHeader, beside: TraceHeader): TraceHeader {
  const known = main.clock.name !== 'unknown' && main.clock.name === beside.clock.name;
  if (!known) {
    throw new IorrError(
      'JOIN_IMPOSSIBLE',
      `time stamps of one clock expected, found ${main.clock.name} and ${beside.clock.name}`,
      { hint: 'record both with time stamps (QEMU: -msg timestamp=on), or import them one by one' },
    );
  }
  const epochs = [main, beside].map(({ clock }) => BigInt(clock.epochNs));
  const epochNs = epochs.reduce((a, b) => (a < b ? a : b)).toString();
  const resolutionNs = Math.max(main.clock.resolutionNs, beside.clock.resolutionNs);
  return {
    ...main,
    sources: [...main.sources, ...beside.sources],
    host: { ...beside.host, ...main.host },
    clock: { ...main.clock, epochNs, resolutionNs },
    fidelity: { ...beside.fidelity, ...main.fidelity },
  };
}

/** Writes the events of two captures of one clock in order of time; at equal times the first one's come first. */
export function mergeByTime(main: Trace, beside: Trace, header: TraceHeader, sink: EventSink): void {
  const epoch = BigInt(header.clock.epochNs);
  const sides = [main, beside].map((trace, i) => ({
    cursor: new EventCursor(trace),
    copy: createRowCopier(trace, sink),
    shift: Number(BigInt(trace.header.clock.epochNs) - epoch),
    sources: i === 0 ? 0 : main.header.sources.length,
  }));
  let waiting = sides.filter(({ cursor }) => cursor.next());
  while (waiting.length > 0) {
    const [first, second] = waiting;
    const next =
      first === undefined ||
      (second !== undefined && second.cursor.time + second.shift < first.cursor.time + first.shift)
        ? second!
        : first;
    const { cursor, copy, shift, sources } = next;
    const segment = cursor.segment!;
    const source = sources + segment.source[cursor.index]!;
    copy(
      segment,
      cursor.stream,
      cursor.row,
      sink.begin(cursor.stream, cursor.time + shift, cursor.cpu, cursor.task, source),
    );
    if (!cursor.next()) waiting = waiting.filter((side) => side !== next);
  }
}
