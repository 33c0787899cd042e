import type { StreamName } from '../traces/schema.ts';

/** Columns that would have the name of a common one. */
const RENAMED: { readonly [column: string]: string } = { 'call.event': 'kind' };

/** What a column is called beside the common ones: in the lines of `cat` and in tables. */
export function printedColumn(stream: StreamName, column: string): string {
  return RENAMED[`${stream}.${column}`] ?? column;
}
