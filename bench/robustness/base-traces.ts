import { inflateRawSync } from 'node:zlib';
import { decode } from '@msgpack/msgpack';
import { readSettings } from '../../recorder/simulate/parameter.ts';
import { simulatedHeader } from '../../recorder/simulate/workload.ts';
import { findWorkload } from '../../recorder/simulate/workloads.ts';
import { ByteReader } from '../../traces/format/byte-buffer.ts';
import { COMPRESSION } from '../../traces/format/compression.ts';
import type { Compression } from '../../traces/format/compression.ts';
import { FRAME_HEADER_BYTES, MAGIC, encodeFrame, encodeTrailer } from '../../traces/format/frame.ts';
import { TraceWriter } from '../../traces/format/writer.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { Random } from '../../traces/random.ts';
import { STREAMS, STREAM_NAMES } from '../../traces/schema.ts';
import type { BytesColumn } from '../../traces/schema.ts';
import { columnProperties } from '../../traces/segment.ts';
import type { EventSink } from '../../traces/trace.ts';
import { cutTrace } from './mutate-trace.ts';
import type { CutTrace } from './mutate-trace.ts';

/** Events between two flushes of a small trace, so that it has several segments. */
const FLUSH_EVERY = 200;

/** A trace in memory; `closed` false leaves the footer out, as a kill would. */
export function writeTrace(
  header: TraceHeader,
  compression: Compression,
  play: (writer: TraceWriter) => void,
  closed = true,
): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new TraceWriter({ write: (bytes) => chunks.push(bytes.slice()) }, header, { compression });
  play(writer);
  if (closed) writer.finish({ health: EMPTY_HEALTH, notes: { seed: 1, nested: { a: [1, 2, { b: 'c' }] } } });
  else writer.flush();
  return new Uint8Array(Buffer.concat(chunks));
}

function simulated(name: string, settings: readonly string[], compression: Compression, closed = true): Uint8Array {
  const workload = findWorkload(name);
  const values = readSettings(name, workload.parameters, settings);
  return writeTrace(
    simulatedHeader(workload, '0'),
    compression,
    (writer) => {
      let flushed = 0;
      for (const events of workload.generate(writer, values, new Random(5))) {
        if (events - flushed < FLUSH_EVERY) continue;
        flushed = events;
        writer.flush();
      }
    },
    closed,
  );
}

/** Events of all streams with values of every size in all columns. */
export function everyStream(sink: EventSink, events: number, random: Random): void {
  let time = 1_000_000;
  const texts = ['dmar0', 'lab: start', 'é\u0000', ''].map((text) => sink.intern(text));
  for (let i = 0; i < events; i++) {
    time += random.below(100_000);
    const id = random.below(STREAM_NAMES.length);
    const name = STREAM_NAMES[id] ?? 'map';
    const row = sink.begin(id, time, random.below(4), random.below(1000), 0);
    const columns = sink.rows[name].columns as unknown as Record<string, Int32Array | BytesColumn>;
    for (const [column, kind] of Object.entries(STREAMS[name])) {
      for (const property of columnProperties(column, kind)) {
        const array = columns[property];
        if (array instanceof Int32Array) {
          array[row] = kind === 'ref' ? (texts[random.below(5)] ?? -1) : random.int32() >> random.below(32);
        } else if (array !== undefined && random.chance(0.5)) {
          sink.setBytes(
            array,
            row,
            Uint8Array.from({ length: random.below(60) }, () => random.int32()),
          );
        }
      }
    }
  }
}

/** The bytes as one zstd frame of uncompressed blocks (RFC 8878, 3.1.1): what any writer may store, without an encoder. */
export function zstdRaw(bytes: Uint8Array): Uint8Array {
  const out = Buffer.alloc(9 + 3 + bytes.length);
  out.writeUInt32LE(0xfd2fb528, 0);
  out[4] = 0xa0;
  out.writeUInt32LE(bytes.length, 5);
  out.writeUIntLE((bytes.length << 3) | 1, 9, 3);
  out.set(bytes, 12);
  return new Uint8Array(out);
}

/** Columns that are deflated, as zstd: such files come from newer versions of Node. */
function withZstd(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withZstd);
  if (!(value instanceof Uint8Array) || value[2] !== COMPRESSION.deflate) return value;
  const reader = new ByteReader(value);
  reader.at = 3;
  const length = reader.varint();
  try {
    const raw = inflateRawSync(value.subarray(reader.at));
    if (raw.length !== length || length >= 1 << 17) return value;
    const head = value.slice(0, reader.at);
    head[2] = COMPRESSION.zstd;
    return new Uint8Array(Buffer.concat([head, zstdRaw(raw)]));
  } catch {
    return value;
  }
}

function toZstd(bytes: Uint8Array): Uint8Array {
  const frames = cutTrace(bytes).frames.map((frame) => {
    const content = decode(frame.subarray(FRAME_HEADER_BYTES)) as unknown[];
    return encodeFrame(content[0] === 2 ? (withZstd(content) as unknown[]) : content);
  });
  // The footer's offsets are those of the first file; without a footer the reader looks for itself.
  const kept = frames.slice(0, -1);
  return new Uint8Array(Buffer.concat([MAGIC, ...kept]));
}

/** Small traces of all kinds to damage. */
export function baseTraces(): CutTrace[] {
  const header = simulatedHeader(findWorkload('packet-nic'), '0');
  const all = (compression: Compression, closed: boolean): Uint8Array =>
    writeTrace(header, compression, (writer) => everyStream(writer, 150, new Random(11)), closed);
  const nic = simulated('packet-nic', ['events=700', 'devices=3', 'ring=16', 'calls=yes'], 'deflate');
  const empty = writeTrace(header, 'deflate', () => {});
  return [
    nic,
    all('deflate', true),
    all('none', true),
    simulated('zipf', ['events=400', 'pages=100'], 'none'),
    all('deflate', false),
    toZstd(nic),
    toZstd(all('deflate', true)),
    empty,
    new Uint8Array(Buffer.concat([empty.subarray(0, empty.length - 16), encodeTrailer(8)])),
  ].map(cutTrace);
}
