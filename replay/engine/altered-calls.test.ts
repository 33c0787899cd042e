import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import type { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { SEEN, STREAM_ID } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import { cutTrace } from './testing/cut-trace.ts';
import { findHardware } from './recorded-hardware.ts';
import { verifyIoctl } from './verify-ioctl.ts';

const EIO = 5;
const EXDEV = 18;
const E2BIG = 7;

/** A recorded ioctl. */
interface Row {
  readonly event: number;
  readonly columns: Columns<'ioctl'>;
  readonly row: number;
}

function rowsOf(trace: MemoryTrace): Row[] {
  const rows: Row[] = [];
  for (const segment of trace.segments()) {
    let row = 0;
    for (let i = 0; i < segment.count; i++) {
      if (segment.stream[i] !== STREAM_ID.ioctl) continue;
      rows.push({ event: segment.firstEvent + i, columns: segment.rows.ioctl.columns, row: row++ });
    }
  }
  return rows;
}

/** MD_CHECK_REFS of the mock driver counts what processes have pinned that a recording with gaps doesn't show. */
const CHECK_REFS = 4;

/**
 * Calls that a device answers, which the model knows nothing of, are among those of VFIO. Any other answer than E2BIG to a longer
 * struct is that of a newer kernel.
 */
function isJudged({ columns, row }: Row): boolean {
  const request = columns.request[row] ?? 0;
  const { data, offsets } = columns.before;
  if (columns.errno[row] === E2BIG) return false;
  if (request === 0x3ba0 && data[(offsets[row] ?? 0) + 4] === CHECK_REFS) return false;
  return request >= 0x3b80 || request === 0x3b71 || request === 0x3b72;
}

/** Another result than the recorded one; false where the recording has none. */
function alter({ columns, row }: Row, random: Random): boolean {
  const from = columns.after.offsets[row] ?? 0;
  const length = (columns.after.offsets[row + 1] ?? 0) - from;
  const errno = columns.errno[row] ?? 0;
  if (errno < 0 || ((columns.seen[row] ?? 0) & SEEN.before) === 0) return false;
  if (errno === 0 && length > 8 && random.below(2) === 0) {
    // Behind the size, which is the caller's.
    const at = from + 4 + random.below(length - 4);
    columns.after.data[at] = (columns.after.data[at] ?? 0) ^ (1 << random.below(8));
    return true;
  }
  columns.errno[row] = errno === EIO ? EXDEV : EIO;
  columns.retLo[row] = -columns.errno[row];
  columns.retHi[row] = -1;
  return true;
}

test.each([
  ['iommufd-random.iorr', 60, 1],
  ['iommufd-random.iorr', 60, 2],
  ['iommufd-selftest.iorr', 60, 3],
  ['vtd-vfio-7.2-ioctl.iorr', 20, 4],
  ['vtd-vfio-7.2-ioctl-type1.iorr', 20, 5],
])('%s: %i recorded results altered at random diverge, exactly those', (name, count, seed) => {
  const source = openTrace(join(import.meta.dirname, '../../traces/corpus', name));
  try {
    const clean = verifyIoctl(source);
    expect(clean?.counts.diverged).toBe(0);
    const trace = cutTrace(source, () => true, false);
    const rows = rowsOf(trace);
    const random = new Random(seed);
    const input = findHardware(source)?.events ?? new Map<number, string>();
    const altered = new Set<number>();
    while (altered.size < count) {
      const row = rows[random.below(rows.length)];
      if (row === undefined || altered.has(row.event) || input.has(row.event) || !isJudged(row)) continue;
      if (alter(row, random)) altered.add(row.event);
    }
    const part = verifyIoctl(trace);
    const found = new Set(part?.divergences.map(({ event }) => event));
    expect([...found].sort((a, b) => a - b)).toEqual([...altered].sort((a, b) => a - b));
    expect(part?.counts.diverged).toBe(count);
  } finally {
    source.close();
  }
});
