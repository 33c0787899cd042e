import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IorrError } from '../errors.ts';
import { EMPTY_HEALTH, FORMAT_VERSION } from '../header.ts';
import type { TraceHeader } from '../header.ts';
import { MemoryTrace } from '../memory-trace.ts';
import { STREAMS, STREAM_ID, STREAM_NAMES } from '../schema.ts';
import type { BytesColumn, StreamName } from '../schema.ts';
import { columnProperties } from '../segment.ts';
import type { Segment } from '../segment.ts';
import type { EventSink } from '../trace.ts';
import { memorySource } from './bytes-io.ts';
import type { Compression } from './compression.ts';
import { FRAME, FRAME_HEADER_BYTES, MAGIC, encodeFrame } from './frame.ts';
import { TraceFile } from './reader.ts';
import { upgradeHeader } from './upgrade.ts';
import { TraceWriter } from './writer.ts';
import { testHeader } from '../testing/test-header.ts';

const HEADER: TraceHeader = testHeader({
  clock: { epochNs: '0', name: 'boot', resolutionNs: 1000 },
  fidelity: { map: 'full' },
});

class Chunks {
  parts: Uint8Array[] = [];
  write(bytes: Uint8Array): void {
    this.parts.push(bytes.slice());
  }
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.parts));
  }
}

interface RandomEvent {
  stream: number;
  gap: number;
  values: number[];
  blob: Uint8Array;
}

const randomEvents = fc.array(
  fc.record({
    stream: fc.integer({ min: 0, max: STREAM_NAMES.length - 1 }),
    gap: fc.oneof(fc.constant(0), fc.integer({ min: -5000, max: 5000 }), fc.integer({ min: 0, max: 2 ** 40 })),
    values: fc.array(fc.oneof(fc.constant(0), fc.integer(), fc.integer({ min: -3, max: 300 })), {
      minLength: 20,
      maxLength: 20,
    }),
    blob: fc.uint8Array({ maxLength: 40 }),
  }),
  { minLength: 0, maxLength: 300 },
);

function play(events: readonly RandomEvent[], sink: EventSink): void {
  let time = 1_000_000_000;
  for (const event of events) {
    time += event.gap;
    const name = STREAM_NAMES[event.stream] as StreamName;
    const row = sink.begin(event.stream, time, event.values[0]! & 7, event.values[1]!, event.values[2]! & 1);
    const columns = sink.rows[name].columns as unknown as Record<string, Int32Array | BytesColumn>;
    let next = 3;
    for (const [column, kind] of Object.entries(STREAMS[name])) {
      for (const property of columnProperties(column, kind)) {
        const array = columns[property];
        if (array instanceof Int32Array) array[row] = event.values[next++ % 20]!;
        else if (array !== undefined && event.blob.length > 5) sink.setBytes(array, row, event.blob);
      }
    }
  }
}

function written(events: readonly RandomEvent[], compression: Compression, flushEvery = 0): Uint8Array {
  const chunks = new Chunks();
  const writer = new TraceWriter(chunks, HEADER, { compression });
  if (flushEvery === 0) play(events, writer);
  else {
    let time = 1_000_000_000;
    for (const event of events) {
      play([{ ...event, gap: time - 1_000_000_000 + event.gap }], writer);
      time += event.gap;
      if (writer.events % flushEvery === 0) writer.flush();
    }
  }
  writer.finish({ health: EMPTY_HEALTH, notes: { hello: 'there' } });
  return chunks.bytes;
}

/** Segments as plain data with rows concatenated, so that traces cut into different segments compare equal. */
function flatten(segments: Iterable<Segment>): unknown {
  const common: number[][] = [];
  const rows: Record<string, unknown[]> = {};
  for (const segment of segments) {
    for (let i = 0; i < segment.count; i++) {
      common.push([segment.stream[i]!, segment.time[i]!, segment.cpu[i]!, segment.task[i]!, segment.source[i]!]);
    }
    for (const name of STREAM_NAMES) {
      const { count, columns } = segment.rows[name];
      for (const [property, array] of Object.entries(columns as Record<string, Int32Array | BytesColumn>)) {
        const list = (rows[`${name}.${property}`] ??= []);
        for (let i = 0; i < count; i++) {
          if (array instanceof Int32Array) list.push(array[i]);
          else list.push(Buffer.from(array.data.subarray(array.offsets[i], array.offsets[i + 1])).toString('hex'));
        }
      }
    }
  }
  return { common, rows };
}

describe('container', () => {
  test('reads back what was written, whatever the values, the compression and the flushes', () => {
    fc.assert(
      fc.property(
        randomEvents,
        fc.constantFrom<Compression>('none', 'deflate'),
        fc.constantFrom(0, 1, 7),
        (events, how, every) => {
          const memory = new MemoryTrace(HEADER);
          play(events, memory);
          const file = new TraceFile(memorySource(written(events, how, every)));
          expect(flatten(file.segments())).toEqual(flatten(memory.segments()));
          expect(file.eventCount).toBe(events.length);
          expect(file.closed).toBe(true);
          expect(file.notes).toEqual({ hello: 'there' });
          expect(file.health).toEqual(EMPTY_HEALTH);
          expect(file.header.clock).toEqual(HEADER.clock);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });

  test('a plan decodes only its columns, into shared memory if asked', () => {
    const memory = new MemoryTrace(HEADER);
    const chunks = new Chunks();
    const writer = new TraceWriter(chunks, HEADER);
    for (const sink of [memory, writer]) {
      for (let i = 0; i < 1000; i++) {
        const row = sink.begin(STREAM_ID.map, i * 1000, 0, 1);
        sink.rows.map.columns.iovaLo[row] = i * 4096;
        sink.rows.map.columns.domain[row] = 4;
      }
    }
    writer.finish({ health: EMPTY_HEALTH, notes: {} });
    const file = new TraceFile(memorySource(chunks.bytes));
    const [segment] = file.segments({ columns: { map: ['iova'] }, shared: true });
    expect(Object.keys(segment!.rows.map.columns)).toEqual(['iovaLo', 'iovaHi']);
    expect(segment!.rows.map.columns.iovaLo.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(segment!.rows.map.columns.iovaLo[999]).toBe(999 * 4096);
    expect([...file.segments({ from: 999_001 })]).toEqual([]);
    expect([...file.segments({ to: 0 })]).toEqual([]);
    expect([...file.segments({ from: 0, to: 1 })]).toHaveLength(1);
  });

  test('a file cut anywhere reads up to its last whole segment and says that it was cut', () => {
    const events = fc.sample(randomEvents, { numRuns: 30, seed: 3 }).flat();
    const whole = written(events, 'deflate', 50);
    const all = new TraceFile(memorySource(whole));
    const complete = flatten(all.segments()) as { common: unknown[] };
    let previous = -1;
    for (let cut = MAGIC.length; cut < whole.length; cut += 97) {
      let file: TraceFile;
      try {
        file = new TraceFile(memorySource(whole.subarray(0, cut)));
      } catch (error) {
        expect(error).toBeInstanceOf(IorrError);
        expect(previous).toBe(-1);
        continue;
      }
      const part = flatten(file.segments()) as { common: unknown[] };
      expect(part.common.length).toBeGreaterThanOrEqual(previous);
      previous = part.common.length;
      expect(part.common).toEqual(complete.common.slice(0, previous));
      expect(file.health.truncated).toBeGreaterThan(0);
    }
    expect(previous).toBe(complete.common.length);
  });

  test('damage in one segment loses that segment, with or without a footer', () => {
    const chunks = new Chunks();
    const writer = new TraceWriter(chunks, HEADER);
    for (let i = 0; i < 300; i++) {
      writer.begin(STREAM_ID.unmap, i, 0, 0);
      if (i % 100 === 99) writer.flush();
    }
    writer.finish({ health: EMPTY_HEALTH, notes: {} });
    const bytes = chunks.bytes;
    const second = chunks.parts.slice(0, 3).reduce((sum, part) => sum + part.length, 0);
    bytes[second + FRAME_HEADER_BYTES + 20]! ^= 1;
    for (const source of [bytes, bytes.subarray(0, bytes.length - 3)]) {
      const file = new TraceFile(memorySource(source));
      const firsts = [...file.segments()].map((segment) => segment.firstEvent);
      expect(firsts).toEqual([0, 200]);
      expect(file.health.truncated).toBeGreaterThan(0);
    }
  });

  test('refuses a newer version by name of both, upgrades an older one', () => {
    const bytes = new Uint8Array(Buffer.concat([MAGIC, encodeFrame([FRAME.header, { ...HEADER, formatVersion: 99 }])]));
    expect(() => new TraceFile(memorySource(bytes))).toThrow(
      `trace format 99, this iorr reads up to ${FORMAT_VERSION}`,
    );
    const upgraded = upgradeHeader({ formatVersion: 1, kernel: 'x' }, 'f', 3, {
      1: ({ kernel, ...rest }) => ({ ...rest, host: { kernel } }),
      2: (header) => ({ ...header, extra: 1 }),
    });
    expect(upgraded).toEqual({ formatVersion: 3, host: { kernel: 'x' }, extra: 1 });
    expect(() => upgradeHeader({ formatVersion: 0 }, 'f')).toThrow(/never published/);
    expect(() => upgradeHeader({ formatVersion: '1' }, 'f')).toThrow(/format version expected/);
  });

  test('says what is wrong with a file that is no trace', () => {
    expect(() => new TraceFile(memorySource(new Uint8Array(0), 'x'))).toThrow(/empty file/);
    expect(() => new TraceFile(memorySource(Buffer.from('# tracer: nop\n'), 'x'))).toThrow(
      /not a trace: it begins with 23 20/,
    );
    expect(() => new TraceFile(memorySource(MAGIC, 'x'))).toThrow(/header frame is missing/);
  });
});
