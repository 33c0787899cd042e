import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EncodingThread } from './encoding-thread.ts';
import { createTrace, openTrace } from './file.ts';
import { memorySource } from './format/bytes-io.ts';
import { TraceFile } from './format/reader.ts';
import { TraceWriter } from './format/writer.ts';
import type { WriterOptions } from './format/writer.ts';
import { EMPTY_HEALTH } from './header.ts';
import { Random } from './random.ts';
import { STREAM_ID } from './schema.ts';
import { SEGMENT_EVENTS } from './segment.ts';
import { testHeader } from './testing/test-header.ts';
import type { EventSink } from './trace.ts';

const HEADER = testHeader();
const folder = mkdtempSync(join(tmpdir(), 'iorr-encoding-'));
afterAll(() => rmSync(folder, { recursive: true }));

const THREADED: WriterOptions = { pipeline: (compression) => new EncodingThread(compression) };

/** Maps and unmaps with new texts now and then, and byte strings on some rows. */
function write(sink: EventSink, events: number): void {
  const random = new Random(7);
  for (let i = 0; i < events; i++) {
    const page = random.below(5000);
    if (i % 2 === 0) {
      const row = sink.begin(STREAM_ID.map, i * 100 + random.below(50), i & 3, 1000 + (i & 7));
      const { columns } = sink.rows.map;
      columns.iovaLo[row] = page * 4096;
      columns.physHi[row] = random.below(16);
      columns.attrs[row] = sink.intern(`attribute ${Math.floor(i / 20_000)}`);
      if (i % 6 === 0) sink.setBytes(columns.list, row, new Uint8Array([page & 255, page >>> 8]));
    } else {
      const row = sink.begin(STREAM_ID.unmap, i * 100 + random.below(50), i & 3, 1000 + (i & 7));
      sink.rows.unmap.columns.iovaLo[row] = page * 4096;
    }
  }
}

function bytesOf(events: number, options: WriterOptions): Buffer {
  const parts: Uint8Array[] = [];
  const writer = new TraceWriter({ write: (bytes) => parts.push(bytes.slice()) }, HEADER, options);
  write(writer, events);
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
  return Buffer.concat(parts);
}

describe('a thread that encodes', () => {
  const events = 5 * SEGMENT_EVENTS + 1234;

  test('writes the same bytes as no thread', () => {
    const plain = bytesOf(events, {});
    expect(bytesOf(events, THREADED).equals(plain)).toBe(true);
    const trace = new TraceFile(memorySource(plain));
    expect(trace.eventCount).toBe(events);
    expect(trace.strings).toContain('attribute 16');
  });

  test('is not started for a small trace', () => {
    let started = 0;
    const pipeline = (): EncodingThread => {
      started++;
      return new EncodingThread('deflate');
    };
    bytesOf(SEGMENT_EVENTS / 2, { pipeline });
    expect(started).toBe(0);
    bytesOf(SEGMENT_EVENTS / 2 + 1, { pipeline });
    expect(started).toBe(1);
  });

  test('leaves whole segments where the writer is closed before its end', () => {
    const path = join(folder, 'cut.iorr');
    const writer = createTrace(path, HEADER, THREADED);
    write(writer, events);
    writer.close();
    const trace = openTrace(path);
    expect(trace.closed).toBe(false);
    expect(trace.eventCount % SEGMENT_EVENTS).toBe(0);
    // no more than the segment that is being filled and those on their way
    expect(trace.eventCount).toBeGreaterThanOrEqual(2 * SEGMENT_EVENTS);
    trace.close();
    const whole = bytesOf(events, {});
    const cut = readFileSync(path);
    expect(whole.subarray(0, cut.length).equals(cut)).toBe(true);
  });

  test('that fails ends the writing with an error that says what to do', () => {
    const thread = new EncodingThread('deflate');
    const broken = { count: 1, firstEvent: 0 };
    const one = new Uint8Array(1);
    const rows = new Proxy({}, { get: () => ({ count: 0, columns: {} }) });
    // a stream number that no stream has
    thread.push({
      ...broken,
      stream: one.fill(99),
      time: new Float64Array(0),
      cpu: new Int32Array(0),
      task: new Int32Array(0),
      source: one,
      rows,
    } as never);
    expect(() => thread.take(true)).toThrow(/thread that encodes the trace failed/);
    thread.close();
  });
});
