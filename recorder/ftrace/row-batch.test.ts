import { describe, expect, test } from 'vitest';
import { makeFormat, makeRecord } from '../../bench/records/record-builder.ts';
import { plainEvents } from '../../traces/event.ts';
import { Health } from '../../traces/health.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { EventDecoder } from './event-decoder.ts';
import { EventOutput } from './event-output.ts';

const MAP = makeFormat('iommu:map', 303, ['u64 iova', 'u64 paddr', 'size_t size']);
const ATTACH = makeFormat('iommu:attach_device_to_domain', 304, ['__data_loc char[] device']);
const UNMAP = makeFormat('iommu:unmap', 305, ['u64 iova', 'size_t size', 'size_t unmapped_size']);
const FORMATS = [MAP, ATTACH, UNMAP];

/** A sink that says nothing of its room. */
class PlainSink extends MemoryTrace {
  override get room(): number {
    return 1;
  }
}

function decoderOf(sink: MemoryTrace): { decoder: EventDecoder; output: EventOutput } {
  const output = new EventOutput(sink, new Health(), 't', 0);
  return { output, decoder: new EventDecoder(FORMATS, output, { littleEndian: true, machine: undefined }) };
}

function recordOf(i: number): Uint8Array {
  if (i % 5 === 4) return makeRecord(ATTACH, i, { device: `0000:00:0${i % 8}.0` });
  const iova = 2n ** 40n + BigInt(i) * 4096n;
  return i % 2 === 0
    ? makeRecord(MAP, i, { iova, paddr: BigInt(i), size: 4096n })
    : makeRecord(UNMAP, i, { iova, size: 4096n, unmapped_size: BigInt(i) });
}

/** `count` records, so many of which lie one behind the other in the same bytes. */
function decodeAll(sink: MemoryTrace, count: number, together: number): unknown[] {
  const { decoder, output } = decoderOf(sink);
  for (let from = 0; from < count; from += together) {
    const records = Array.from({ length: Math.min(together, count - from) }, (_, k) => recordOf(from + k));
    const bytes = Uint8Array.from(records.flatMap((record) => [...record]));
    const words = new Int32Array(bytes.buffer);
    let at = 0;
    records.forEach(({ length }, k) => {
      decoder.decode({ bytes, words, at, length }, from + k, 1);
      at += length;
    });
    output.settle();
    // What was settled is not looked at again.
    bytes.fill(0xff);
  }
  decoder.finish();
  return [...sink.segments()].flatMap((segment) => [...plainEvents(segment, sink.strings)]);
}

describe('records that are copied in batches', () => {
  test.each([1, 7, 1500])('%i at once: the same events as one by one, in their order', (together) => {
    const expected = decodeAll(new PlainSink(testHeader()), 3000, 1);
    expect(expected).toHaveLength(3000);
    expect(decodeAll(new MemoryTrace(testHeader()), 3000, together)).toEqual(expected);
  });

  test('batches end where a segment does', () => {
    const sink = new MemoryTrace(testHeader());
    const { decoder, output } = decoderOf(sink);
    const bytes = recordOf(0);
    const record = { bytes, words: new Int32Array(bytes.buffer), at: 0, length: bytes.length };
    const count = 65_536 + 100;
    for (let i = 0; i < count; i++) decoder.decode(record, i, 0);
    output.settle();
    const segments = [...sink.segments()];
    expect(segments.map((segment) => segment.count)).toEqual([65_536, 100]);
    for (const { rows, count: events } of segments) {
      const { iovaHi, sizeLo } = rows.map.columns;
      expect(new Set(iovaHi.subarray(0, events))).toEqual(new Set([256]));
      expect(new Set(sizeLo.subarray(0, events))).toEqual(new Set([4096]));
    }
  });

  test('an event that is written at once comes after those that are held', () => {
    const sink = new MemoryTrace(testHeader());
    const { decoder, output } = decoderOf(sink);
    const bytes = recordOf(0);
    decoder.decode({ bytes, words: new Int32Array(bytes.buffer), at: 0, length: bytes.length }, 5, 0);
    output.time = 6;
    output.begin(0);
    output.settle();
    expect(
      [...sink.segments()].flatMap((segment) => [...plainEvents(segment, sink.strings)].map(({ time }) => time)),
    ).toEqual([5, 6]);
  });
});
