import type { DuckDBValue } from '@duckdb/node-api';

/** A value of a result: exact, a 64-bit integer beyond 2^53 as a decimal text. */
export type SqlCell = number | string | boolean | null;

/** What SQL gave, as plain data: byte strings as hex, dates, lists and the like as DuckDB writes them. */
export function sqlCell(value: DuckDBValue): SqlCell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  if ('bytes' in value && value.bytes instanceof Uint8Array) return Buffer.from(value.bytes).toString('hex');
  return String(value);
}
