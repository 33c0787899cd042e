import { ByteReader } from './byte-buffer.ts';
import type { IntCodec } from './codecs/codec.ts';
import { INT_CODECS } from './codecs/codecs.ts';
import { constant } from './codecs/constant.ts';
import { COMPRESSION, decompress } from './compression.ts';
import type { ColumnMachine } from './decoder/column-machine.ts';
import { addPrediction, readPrediction } from './prediction.ts';
import type { ColumnAccess } from './prediction.ts';
import { predictedAt } from './predicted-rows.ts';
import type { RowsAt } from './predicted-rows.ts';

/**
 * Layout of an encoded column: codec, variant, compression, then the uncompressed length as a varint, then the bytes; or 254, a
 * prediction (prediction.ts), and the column of differences in this same layout. Byte strings have 255 in the place of a codec.
 */
export const PREDICTED = 254;
export const BYTE_STRING = 255;

/** `raw` is in the memory of the machine where that inflated it. */
function unpack(
  bytes: Uint8Array,
  limit: number,
  machine: ColumnMachine | undefined,
): { codec: number; variant: number; raw: Uint8Array } {
  const reader = new ByteReader(bytes);
  const codec = reader.byte();
  const variant = reader.byte();
  const how = reader.byte();
  const length = reader.varint();
  if (length > limit) throw new RangeError(`column of ${length} bytes exceeds the limit of ${limit}`);
  const rest = reader.rest();
  const inflated = how === COMPRESSION.deflate ? machine?.inflate(rest, length) : undefined;
  // zlib says what is wrong
  return { codec, variant, raw: inflated ?? decompress(rest, how, length) };
}

/** The column that an encoded one is predicted from by a reference, if it is; `stream` and `property` say which it is itself. */
export function predictedFrom(
  bytes: Uint8Array,
  stream: number,
  property: number,
): { readonly stream: number; readonly property: number } | undefined {
  if (bytes[0] !== PREDICTED) return undefined;
  const reader = new ByteReader(bytes);
  reader.at = 1;
  const prediction = readPrediction(reader, stream, property);
  if (prediction.type === 'follow') return { stream: prediction.stream, property: prediction.other };
  return { stream: prediction.type === 'last' ? prediction.stream : stream, property: prediction.property };
}

/** Where a column stands, for those that are predicted from others. */
export interface ColumnPlace {
  readonly stream: number;
  readonly property: number;
  readonly access: ColumnAccess;
}

/** The value of a column whose rows are all alike; undefined for any other, and for a damaged one. */
export function constantOf(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== constant.id || bytes[2] !== COMPRESSION.none || bytes.length > 16) return undefined;
  const one = new Int32Array(1);
  try {
    decodeColumn(bytes, one);
  } catch {
    return undefined;
  }
  return one[0];
}

/**
 * Fills `out` from an encoded column, by a machine where there is one for it. Throws `RangeError` or a zlib error where the bytes
 * are damaged.
 */
export function decodeColumn(bytes: Uint8Array, out: Int32Array, machine?: ColumnMachine, place?: ColumnPlace): void {
  // what a machine can't decode is decoded again, to find out why
  if (machine?.suits(out.length) !== true || !decodeBy(machine, bytes, out, place)) {
    decodeHere(bytes, out, machine, place);
  }
}

function decodeBy(machine: ColumnMachine, bytes: Uint8Array, out: Int32Array, place: ColumnPlace | undefined): boolean {
  const at = machine.placeFor(out, 'out');
  let inner = bytes;
  let predicted: RowsAt | undefined;
  if (bytes[0] === PREDICTED && place !== undefined) {
    const reader = new ByteReader(bytes);
    reader.at = 1;
    const prediction = readPrediction(reader, place.stream, place.property);
    // what it refers to may have to be decoded by the same machine: before
    predicted = predictedAt(machine, prediction, out.length, place);
    if (predicted === undefined) return false;
    inner = reader.rest();
  }
  const { codec, variant, raw } = unpack(inner, rawLimit(out.length), machine);
  if (!codecOf(codec, variant).decodeAt(machine, machine.reader(raw), variant, out.length, at)) return false;
  if (predicted !== undefined && !predicted(at)) return false;
  machine.deliver(at, out);
  return true;
}

function decodeHere(
  bytes: Uint8Array,
  out: Int32Array,
  machine: ColumnMachine | undefined,
  place: ColumnPlace | undefined,
): void {
  if (bytes[0] === PREDICTED && place !== undefined) {
    const reader = new ByteReader(bytes);
    reader.at = 1;
    const prediction = readPrediction(reader, place.stream, place.property);
    decodeHere(reader.rest(), out, machine, undefined);
    addPrediction(prediction, out, place.stream, place.access);
    return;
  }
  const { codec, variant, raw } = unpack(bytes, rawLimit(out.length), machine);
  codecOf(codec, variant).decode(new ByteReader(raw), variant, out);
}

/** Bytes that a column may take before compression (`docs/format.md`). */
const rawLimit = (rows: number): number => 1024 + rows * 16;

function codecOf(codec: number, variant: number): IntCodec {
  const decoder = INT_CODECS[codec];
  if (decoder === undefined || variant >= decoder.variants) throw new RangeError(`unknown codec ${codec}.${variant}`);
  return decoder;
}

/** The bytes that `encodeBytes` was given; at most `limit`. They may lie in the memory of the machine, until it decodes again. */
export function decodeByteString(bytes: Uint8Array, limit: number, machine?: ColumnMachine): Uint8Array {
  const { codec, raw } = unpack(bytes, limit, machine);
  if (codec !== BYTE_STRING) throw new RangeError(`byte string expected, found codec ${codec}`);
  return raw;
}
