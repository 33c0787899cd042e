import { SEGMENT_EVENTS } from '../segment.ts';

/**
 * A segment frame:
 *
 *     [2, first event, events, earliest ns, latest ns, rows by stream number,
 *      [streams, grouping, times, cpus, tasks, sources],
 *      [stream number, column, column, ...], ...]
 *
 * with every column a byte string of `column.ts`, in the order of `layout.ts`. Columns are only ever appended to the schema,
 * so that a reader fills those that an older segment lacks.
 */
export type SegmentContent = readonly unknown[];

/** What a reader's index keeps of a segment. */
export interface SegmentSummary {
  readonly firstEvent: number;
  readonly count: number;
  readonly tMin: number;
  readonly tMax: number;
  readonly rows: readonly number[];
}

/** A whole number from 0 to `limit`, or a `RangeError` that says what it should have been. */
export function checkCount(value: unknown, limit: number, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > limit) {
    throw new RangeError(`${what}: a count up to ${limit} expected, found ${String(value)}`);
  }
  return value;
}

export function checkInteger(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new RangeError(`${what}: an integer expected`);
  return value;
}

export function checkBytes(value: unknown, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new RangeError(`${what}: bytes expected`);
  return value;
}

/** Reads the parts of a segment frame that the index needs. Throws `RangeError` where they are damaged. */
export function readSummary(content: SegmentContent): SegmentSummary {
  const rows = content[5];
  if (!Array.isArray(rows) || rows.length > 32) throw new RangeError('rows by stream expected');
  const counts = rows.map((value, id) => checkCount(value, SEGMENT_EVENTS, `rows of stream ${id}`));
  const events = checkCount(content[2], SEGMENT_EVENTS, 'events of a segment');
  if (counts.reduce((a, b) => a + b, 0) !== events) throw new RangeError('rows do not add up to the events');
  return {
    firstEvent: checkCount(content[1], Number.MAX_SAFE_INTEGER, 'first event'),
    count: events,
    tMin: checkInteger(content[3], 'earliest time'),
    tMax: checkInteger(content[4], 'latest time'),
    rows: counts,
  };
}
