import { parseEventFormat } from '../../ftrace/event-format.ts';
import type { EventFormat } from '../../ftrace/event-format.ts';
import { DatDamage } from './dat-cursor.ts';
import type { DatCursor } from './dat-cursor.ts';

/** Parts that versions 6 and 7 share. */

/** Text of one event's format; a kernel's longest is some 30 KiB. */
const MAX_FORMAT = 1024 * 1024;
const MAX_HEADER = 64 * 1024;
/** common_type has 16 bits. */
const MAX_FORMATS = 65536;

/** `header_page\0`, u64 size, text, `header_event\0`, u64 size, text; returns the first text. */
export function readHeaderInfo(cursor: DatCursor): string {
  const page = readNamed(cursor, 'header_page');
  readNamed(cursor, 'header_event');
  return page;
}

function readNamed(cursor: DatCursor, expected: string): string {
  const from = cursor.pos;
  const name = cursor.name();
  if (name !== expected) throw new DatDamage(`${expected} expected`, from);
  return sizedText(cursor, MAX_HEADER);
}

function sizedText(cursor: DatCursor, most: number): string {
  const from = cursor.pos;
  const size = cursor.u64();
  if (size > most) throw new DatDamage(`a text of ${size} bytes, at most ${most} expected`, from);
  return cursor.text(size);
}

/** Formats of the tracer's own events: u32 count, each u64 size and text. */
export function readFtraceFormats(cursor: DatCursor, formats: EventFormat[], longBytes: number): void {
  readFormats(cursor, 'ftrace', formats, longBytes);
}

/** u32 systems; each a name, u32 count, each u64 size and text. */
export function readEventFormats(cursor: DatCursor, formats: EventFormat[], longBytes: number): void {
  const systems = cursor.u32();
  for (let i = 0; i < systems; i++) readFormats(cursor, cursor.name(), formats, longBytes);
}

function readFormats(cursor: DatCursor, system: string, formats: EventFormat[], longBytes: number): void {
  const count = cursor.u32();
  for (let i = 0; i < count; i++) {
    const from = cursor.pos;
    const format = parseEventFormat(sizedText(cursor, MAX_FORMAT), system, longBytes);
    if (format === undefined || formats.length >= MAX_FORMATS)
      throw new DatDamage(`${system}: no format of an event`, from);
    formats.push(format);
  }
}
