import { describe, expect, test } from 'vitest';
import { memorySource } from '../../../traces/format/bytes-io.ts';
import { TraceFile } from '../../../traces/format/reader.ts';
import { TraceWriter } from '../../../traces/format/writer.ts';
import { EMPTY_HEALTH } from '../../../traces/header.ts';
import { DIALECT, INV_FORM, STREAM_ID } from '../../../traces/schema.ts';
import { parseRequester } from '../../../traces/units.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import { EventCounts } from './event-counts.ts';

const HEADER = testHeader();
const NIC = parseRequester('0000:00:04.0');

/** Counts what `fill` writes, in segments that are cut after every `cut` events. */
function counted(cut: number, fill: (writer: TraceWriter, next: () => void) => void): EventCounts {
  const parts: Uint8Array[] = [];
  const options = { onSegment: (segment: Parameters<EventCounts['add']>[0]) => counts.add(segment) };
  const writer = new TraceWriter({ write: (bytes) => parts.push(Uint8Array.from(bytes)) }, HEADER, options);
  const counts = new EventCounts((ref) => writer.text(ref));
  let left = cut;
  fill(writer, () => {
    if (--left > 0) return;
    left = cut;
    writer.flush();
  });
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  const trace = new TraceFile(memorySource(Buffer.concat(parts)));
  expect(counts.events).toBe(trace.eventCount);
  return counts;
}

function fill(writer: TraceWriter, next: () => void): void {
  const { rows } = writer;
  for (let i = 0; i < 30; i++) {
    const map = writer.begin(STREAM_ID.map, i, 0, 1);
    rows.map.columns.device[map] = i % 3 === 0 ? NIC : -1;
    rows.map.columns.domain[map] = i % 3 === 1 ? 7 : -1;
    next();
    const unmap = writer.begin(STREAM_ID.unmap, i, 0, 1);
    rows.unmap.columns.device[unmap] = NIC;
    next();
  }
  // IOTLB of domain 7, device-TLB of 00:04.0 (0x20), a wait, and another family's command.
  const words: readonly (readonly [number, number, number])[] = [
    [DIALECT.vtd, 0x70012, 0],
    [DIALECT.vtd, 0x3, 0x20],
    [DIALECT.vtd, 0x200008, 0],
    [DIALECT.vtd, 0x5, 0],
    [DIALECT.smmuv3, 0x11, 0],
  ];
  for (const [dialect, lo, hi] of words) {
    const unit = writer.intern('smmu0');
    const row = writer.begin(STREAM_ID.inv, 100, 0, 1);
    const { columns } = rows.inv;
    columns.dialect[row] = dialect;
    columns.form[row] = INV_FORM.words;
    columns.unit[row] = unit;
    columns.w0Lo[row] = lo;
    columns.w0Hi[row] = hi;
    next();
  }
  for (const stream of ['fault', 'prq'] as const) {
    const row = writer.begin(STREAM_ID[stream], 200, 0, 1);
    rows[stream].columns.rid[row] = NIC;
    next();
  }
}

describe('counts of a recording', () => {
  test.each([1, 7, 1000])('by stream and by owner, in segments of %i events', (cut) => {
    const counts = counted(cut, fill);
    expect(counts.streams[STREAM_ID.map]).toBe(30);
    expect(counts.streams[STREAM_ID.inv]).toBe(5);
    expect(counts.owners().toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: '0000:00:04.0', counts: [10, 30, 2, 2] },
      { name: 'domain 7', counts: [10, 0, 1, 0] },
      { name: 'owner unknown', counts: [10, 0, 0, 0] },
      { name: 'smmu0', counts: [0, 0, 2, 0] },
    ]);
  });

  test('more owners than can be told apart are counted together', () => {
    const counts = counted(100_000, (writer, next) => {
      for (let domain = 0; domain < 5000; domain++) {
        const row = writer.begin(STREAM_ID.map, domain, 0, 1);
        writer.rows.map.columns.domain[row] = domain;
        next();
      }
    });
    const owners = counts.owners();
    expect(owners).toHaveLength(4097);
    expect(owners.find(({ name }) => name === 'others')?.counts).toEqual([904, 0, 0, 0]);
  });
});
