import { csvText } from '../report/escape.ts';
import type { Exporter } from './exporter.ts';
import { tableColumns } from './stream-table.ts';
import type { TableColumn, TableValue } from './stream-table.ts';

/** A field as text: addresses and byte strings as hex, `null` empty. An empty text is `""`. */
export function csvField({ hex }: Pick<TableColumn, 'hex'>, value: TableValue): string {
  if (value === null) return '';
  if (typeof value === 'bigint') return hex ? `0x${value.toString(16)}` : String(value);
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  return value === '' ? '""' : csvText(value, Number.POSITIVE_INFINITY);
}

/**
 * A table for each stream, its first line the columns' names. RFC 4180, but with line feeds alone. Texts of a trace can't become
 * formulas of a spreadsheet: one that begins with `=`, `+`, `-` or `@` has an apostrophe before it.
 */
export const csvExporter: Exporter = {
  name: 'csv',
  does: 'a table for each stream: addresses as hex, other numbers exact, empty where unknown',
  extension: 'csv',
  perStream: true,
  async open({ streams }, sink) {
    const [stream] = streams;
    const columns = stream === undefined ? [] : tableColumns(stream);
    sink.write(`${columns.map(({ name }) => name).join(',')}\n`);
    return {
      notes: [],
      event(event) {
        sink.write(`${columns.map((column) => csvField(column, column.valueOf(event))).join(',')}\n`);
      },
      finish() {},
    };
  },
};
