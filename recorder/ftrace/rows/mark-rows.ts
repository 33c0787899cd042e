import { STREAM_ID } from '../../../traces/schema.ts';
import type { EventOutput } from '../event-output.ts';

/** A note that user space wrote into trace_marker. */
export function writeMark(out: EventOutput, bytes: Uint8Array, start: number, end: number): void {
  const text = out.freeText(bytes, start, end);
  const row = out.begin(STREAM_ID.mark);
  out.sink.rows.mark.columns.text[row] = text;
}
