import { expect, test } from 'vitest';
import { EMPTY_HEALTH } from '../header.ts';
import type { TraceHeader } from '../header.ts';
import { Random } from '../random.ts';
import { STREAM_ID } from '../schema.ts';
import type { Segment } from '../segment.ts';
import { memorySource } from './bytes-io.ts';
import { RENEWABLE_PLAN } from './layout.ts';
import { TraceFile } from './reader.ts';
import { TraceWriter } from './writer.ts';
import { testHeader } from '../testing/test-header.ts';

const HEADER: TraceHeader = testHeader({
  clock: { epochNs: '0', name: 'boot', resolutionNs: 1000 },
  fidelity: { map: 'full' },
});

class Chunks {
  readonly parts: Uint8Array[] = [];
  write(bytes: Uint8Array): void {
    this.parts.push(bytes.slice());
  }
}

/** Maps, unmaps and flushes in turn, of domains that only some rows name. */
function play(writer: TraceWriter, events: number): void {
  const random = new Random(7);
  for (let i = 0; i < events; i++) {
    if (i % 400 === 399) writer.flush();
    const page = random.below(4000) << 12;
    const map = writer.begin(STREAM_ID.map, i * 1000, i % 4, 10);
    writer.rows.map.columns.iovaLo[map] = page;
    writer.rows.map.columns.origin[map] = i % 2;
    writer.rows.map.columns.device[map] = i % 2 === 1 ? 24 : -1;
    const unmap = writer.begin(STREAM_ID.unmap, i * 1000 + 200, i % 4, 10);
    writer.rows.unmap.columns.iovaLo[unmap] = page;
    const flush = writer.begin(STREAM_ID.flush, i * 1000 + 300, i % 4, 10);
    writer.rows.flush.columns.addrLo[flush] = page;
    writer.rows.flush.columns.domain[flush] = page & 0x1000 ? 7 : 9;
  }
}

function finished(fill: (writer: TraceWriter) => void): TraceFile {
  const chunks = new Chunks();
  const writer = new TraceWriter(chunks, HEADER);
  fill(writer);
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return new TraceFile(memorySource(new Uint8Array(Buffer.concat(chunks.parts))));
}

/** The segment with a domain for every map and unmap. */
function owned(segment: Segment, domains: (row: number) => number): Segment {
  const { map, unmap } = segment.rows;
  const named = (count: number): Int32Array => Int32Array.from({ length: count }, (_, row) => domains(row));
  return {
    ...segment,
    rows: {
      ...segment.rows,
      map: { count: map.count, columns: { ...map.columns, domain: named(map.count) } },
      unmap: { count: unmap.count, columns: { ...unmap.columns, domain: named(unmap.count) } },
    },
  };
}

test('columns renewed in an encoded trace give the file that encoding all of it anew gives', () => {
  const domains = (row: number): number => ((row * 7919) % 13 < 6 ? 7 : 9);
  const source = finished((writer) => play(writer, 8000));
  expect(source.segmentCount).toBeGreaterThan(20);
  const renewed = finished((writer) => {
    for (const { content, segment } of source.framedSegments(RENEWABLE_PLAN)) {
      writer.appendRenewed(content, owned(segment, domains));
    }
  });
  const anew = finished((writer) => {
    for (const segment of source.segments()) writer.append(owned(segment, domains));
  });
  expect(renewed.eventCount).toBe(24_000);
  expect(renewed.bytes).toBe(anew.bytes);
  expect(renewed.encodedBytes).toEqual(anew.encodedBytes);
  const others = anew.segments();
  for (const segment of renewed.segments()) expect(segment).toEqual(others.next().value);
  expect(others.next().done).toBe(true);
});

test('each segment is shown before it is written', () => {
  const shown: number[] = [];
  const chunks = new Chunks();
  const onSegment = (segment: Segment): void => {
    shown.push(segment.firstEvent, segment.count, segment.rows.map.columns.iovaLo[0]!);
  };
  const writer = new TraceWriter(chunks, HEADER, { onSegment });
  for (let i = 0; i < 3; i++) {
    const row = writer.begin(STREAM_ID.map, i, 0, 1);
    writer.rows.map.columns.iovaLo[row] = 4096 * i;
    if (i === 1) writer.flush();
  }
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  expect(shown).toEqual([0, 2, 0, 2, 1, 8192]);
});
