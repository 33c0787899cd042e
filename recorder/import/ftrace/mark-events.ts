import { writeMark } from '../../ftrace/rows/mark-rows.ts';
import { ascii } from '../byte-cursor.ts';
import { eventParser } from './event-line.ts';
import type { EventLine, EventParser } from './event-line.ts';

/** Notes that user space writes into trace_marker. */

const CALLER = ascii('tracing_mark_write:');

/** tracing_mark_write: lab: start        (tracefs: the event is named after the caller of the print) */
function parseMark({ out, cursor }: EventLine): boolean {
  writeMark(out, cursor.bytes, cursor.pos, cursor.end);
  return true;
}

/** print:                tracing_mark_write: lab: start        (trace-cmd report, perf script) */
function parsePrint(line: EventLine): boolean {
  const { cursor } = line;
  const { pos } = cursor;
  if (cursor.literal(CALLER)) cursor.skipSpaces();
  else cursor.pos = pos;
  return parseMark(line);
}

export const MARK_EVENTS: readonly EventParser[] = [
  { names: ['tracing_mark_write'], parse: parseMark },
  eventParser('ftrace', ['print'], parsePrint),
];
