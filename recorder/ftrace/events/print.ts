import type { Extent } from '../event-record.ts';
import { writeMark } from '../rows/mark-rows.ts';
import { eventConverter } from './event-converter.ts';
import type { EventConverter } from './event-converter.ts';

const text: Extent = { start: 0, end: 0 };

/** Notes that user space writes into trace_marker (kernel/trace/trace_entries.h, print). */
export const PRINT_CONVERTERS: readonly EventConverter[] = [
  eventConverter('ftrace', 'print', (fields) => {
    const buffer = fields.text('buf');
    return (record, out) => {
      if (!buffer(record, text)) return false;
      writeMark(out, record.bytes, text.start, text.end);
      return true;
    };
  }),
];
