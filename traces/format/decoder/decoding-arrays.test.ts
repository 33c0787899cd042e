import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { EMPTY_HEALTH } from '../../header.ts';
import { Random } from '../../random.ts';
import { STREAM_ID } from '../../schema.ts';
import type { Segment } from '../../segment.ts';
import { testHeader } from '../../testing/test-header.ts';
import { memorySource } from '../bytes-io.ts';
import { TraceFile } from '../reader.ts';
import { TraceWriter } from '../writer.ts';
import { decodingArrays } from './decoding-arrays.ts';

/** Accesses, maps and unmaps of the same pages, and recorded events with bytes of their own: columns of all codecs and predictions. */
function largeTrace(events: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = new TraceWriter({ write: (bytes) => void parts.push(bytes.slice()) }, testHeader());
  const random = new Random(5);
  const live: number[] = [];
  let time = 0;
  for (let i = 0; i < events; i++) {
    time += random.below(4) * 10;
    const what = random.below(20);
    const cpu = random.below(3);
    if (what < 12) {
      const row = writer.begin(STREAM_ID.dma, time, cpu, 0);
      const { columns } = writer.rows.dma;
      columns.rid[row] = 0x100 + random.below(4);
      columns.iovaLo[row] = (random.below(1 << 12) << 12) | (random.below(64) << 6);
      columns.length[row] = 64;
      columns.outLo[row] = columns.iovaLo[row] ^ 0x1000;
    } else if (what < 15 || live.length === 0) {
      const row = writer.begin(STREAM_ID.map, time, cpu, 7);
      const { columns } = writer.rows.map;
      columns.origin[row] = random.below(2);
      columns.iovaLo[row] = random.below(1 << 20) << 12;
      columns.sizeLo[row] = 4096;
      live.push(columns.iovaLo[row]);
    } else if (what < 19) {
      const row = writer.begin(STREAM_ID.unmap, time, cpu, 7);
      const { columns } = writer.rows.unmap;
      columns.origin[row] = random.below(2);
      columns.iovaLo[row] = live.shift()!;
      columns.sizeLo[row] = 4096;
    } else {
      const row = writer.begin(STREAM_ID.event, time, cpu, 9);
      const data = Uint8Array.from({ length: random.below(30) }, () => random.below(256));
      writer.setBytes(writer.rows.event.columns.data, row, data);
    }
  }
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return new Uint8Array(Buffer.concat(parts));
}

/** A digest of each segment's arrays, taken while they hold. */
function digests(segments: Iterable<Segment>): string[] {
  return Array.from(segments, ({ stream, time, cpu, task, source, rows }) => {
    const hash = createHash('sha256');
    const add = (array: Uint8Array | Int32Array | Float64Array): void => {
      hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    };
    for (const array of [stream, time, cpu, task, source]) add(array);
    for (const [name, { count, columns }] of Object.entries(rows)) {
      hash.update(`${name} ${count}`);
      for (const [property, column] of Object.entries(columns)) {
        hash.update(property);
        if (column instanceof Int32Array) add(column);
        else for (const array of [column.offsets, column.data]) add(array);
      }
    }
    return hash.digest('hex');
  });
}

test('arrays that are decoded where they are hold what fresh ones hold', () => {
  const trace = new TraceFile(memorySource(largeTrace(150_000)));
  const fresh = digests(trace.segments());
  expect(fresh.length).toBe(3);
  expect(digests(trace.segments({ reuse: true }))).toEqual(fresh);
  expect(digests(trace.segments({ arrays: decodingArrays() }))).toEqual(fresh);
});

test.each([
  ['WebAssembly', undefined],
  // where a processor lacks them, no module can be made
  ['its vectors', {}],
])('without %s the same is decoded', async (_what, platform) => {
  const bytes = largeTrace(20_000);
  const expected = digests(new TraceFile(memorySource(bytes)).segments());
  vi.resetModules();
  vi.stubGlobal('WebAssembly', platform);
  try {
    const { TraceFile: Plain } = await import('../reader.ts');
    const { ownMachine } = await import('./column-machine.ts');
    expect(ownMachine()).toBeUndefined();
    expect(digests(new Plain(memorySource(bytes)).segments())).toEqual(expected);
    expect(digests(new Plain(memorySource(bytes)).segments({ reuse: true }))).toEqual(expected);
  } finally {
    vi.unstubAllGlobals();
    vi.resetModules();
  }
});

test('readers take them in turn, unless a segment may still be looked at', () => {
  const trace = new TraceFile(memorySource(largeTrace(20_000)));
  const first = (): Segment => {
    for (const segment of trace.segments({ reuse: true })) return segment;
    throw new Error('no segment');
  };
  const memoryOf = (read: () => void): ArrayBufferLike => {
    let memory: ArrayBufferLike | undefined;
    for (const { time } of trace.segments({ reuse: true })) {
      memory ??= time.buffer;
      read();
    }
    return memory!;
  };
  const held = first();
  const { time } = held;
  const before = time.slice();
  let inner: ArrayBufferLike | undefined;
  const outer = memoryOf(() => {
    inner ??= memoryOf(() => undefined);
  });
  expect(outer).not.toBe(inner);
  expect(outer).not.toBe(time.buffer);
  // those that were returned last
  expect(memoryOf(() => undefined)).toBe(outer);
  expect(time).toEqual(before);
});

test('they are in one memory, as long as there is room', () => {
  const arrays = decodingArrays();
  const first = arrays.int32(1000);
  expect(arrays.float64(1000).buffer).toBe(first.buffer);
  const many = Array.from({ length: 12 }, () => arrays.float64(500_000).fill(1));
  expect(many.at(-1)?.buffer).not.toBe(first.buffer);
  expect(many.every((array) => array.every((value) => value === 1))).toBe(true);
  arrays.reset();
  expect(arrays.int32(1000).byteOffset).toBe(first.byteOffset);
});
