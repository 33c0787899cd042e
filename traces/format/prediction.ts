import type { ByteBuffer, ByteReader } from './byte-buffer.ts';
import { addFollowed } from './followed.ts';
import { MAX_KINDS, kindRows, modeMasks } from './kinds.ts';
import type { KindMode } from './kinds.ts';

/**
 * Columns that follow from others: the flush after an unmap names the unmap's address, the DMA API's unmap repeats the one of
 * the IOMMU core. What is written is the difference to a prediction, and the prediction is one of these:
 *
 * - `row`: another column of the same row;
 * - `last`: a column of the newest event of another stream, in trace order;
 * - `kind`: by the value of a small column of the same row (the origin of a map, the form of a command), the value of the row
 *   before, or of the last row of the same kind, or nothing. The differences are then written grouped by kind;
 * - `follow`: as `kind`, or (mode 3) what came behind the last value in a column of another stream, among its rows of the same kind
 *   before this one: mappings are unmapped in the order in which they were made.
 *
 * References point only to streams of a lower number, or to earlier columns of the same stream, so that decoding ends.
 */
export type Prediction =
  | { readonly type: 'row'; readonly property: number }
  | { readonly type: 'last'; readonly stream: number; readonly property: number }
  | KindPrediction
  | FollowPrediction;

export interface KindPrediction {
  readonly type: 'kind';
  readonly property: number;
  readonly kinds: readonly KindMode[];
}

export interface FollowPrediction {
  readonly type: 'follow';
  /** Column of the kinds. */
  readonly property: number;
  readonly kinds: readonly KindMode[];
  /** The other stream, its column of kinds, and the column whose sequence is followed. */
  readonly stream: number;
  readonly otherKind: number;
  readonly other: number;
}

/** What a predictor may look at: integer columns of the segment by stream and property number. */
export interface ColumnAccess {
  column(stream: number, property: number): Int32Array;
  /** For each row of `stream`, the newest row of `other` before it in trace order; -1 if there is none. */
  newestBefore(stream: number, other: number): Int32Array;
}

const TYPES = ['row', 'last', 'kind', 'follow'] as const;
export function writePrediction(prediction: Prediction, out: ByteBuffer): void {
  out.reserve(64 + MAX_KINDS * 10);
  out.varint(TYPES.indexOf(prediction.type));
  if (prediction.type === 'last') out.varint(prediction.stream);
  out.varint(prediction.property);
  if (prediction.type !== 'kind' && prediction.type !== 'follow') return;
  if (prediction.type === 'follow') {
    out.varint(prediction.stream);
    out.varint(prediction.otherKind);
    out.varint(prediction.other);
  }
  out.varint(prediction.kinds.length);
  for (const { value, mode } of prediction.kinds) {
    out.varint(((value << 1) ^ (value >> 31)) >>> 0);
    out.varint(mode);
  }
}

/** Throws `RangeError` where the reference is not to an earlier column. */
export function readPrediction(reader: ByteReader, stream: number, property: number): Prediction {
  const type = TYPES[reader.varint()];
  switch (type) {
    case 'last': {
      const other = reader.varint();
      if (other >= stream) throw new RangeError(`stream ${stream} refers to stream ${other}`);
      return { type, stream: other, property: reader.varint() };
    }
    case 'row':
    case 'kind': {
      const from = reader.varint();
      if (from >= property) throw new RangeError(`column ${property} refers to column ${from}`);
      return type === 'row' ? { type, property: from } : { type, property: from, kinds: readKinds(reader, 2) };
    }
    case 'follow': {
      const from = reader.varint();
      if (from >= property) throw new RangeError(`column ${property} refers to column ${from}`);
      const other = reader.varint();
      if (other >= stream) throw new RangeError(`stream ${stream} refers to stream ${other}`);
      const otherKind = reader.varint();
      const followed = reader.varint();
      return { type, property: from, stream: other, otherKind, other: followed, kinds: readKinds(reader, 3) };
    }
    default:
      throw new RangeError('unknown prediction');
  }
}

function readKinds(reader: ByteReader, lastMode: number): KindMode[] {
  const count = reader.varint();
  if (count < 1 || count > MAX_KINDS) throw new RangeError(`${count} kinds`);
  return Array.from({ length: count }, () => {
    const zigzag = reader.varint();
    const mode = reader.varint();
    if (zigzag > 0xffffffff || mode > lastMode) throw new RangeError('bad kind');
    return { value: (zigzag >>> 1) ^ -(zigzag & 1), mode };
  });
}

/** What each row's difference is to. */
export function referenceRows(
  prediction: Exclude<Prediction, { type: 'kind' | 'follow' }>,
  rows: number,
  stream: number,
  access: ColumnAccess,
): Int32Array {
  if (prediction.type === 'row') return access.column(stream, prediction.property);
  const column = access.column(prediction.stream, prediction.property);
  const newest = access.newestBefore(stream, prediction.stream);
  const reference = new Int32Array(rows);
  for (let i = 0; i < rows; i++) {
    const row = newest[i]!;
    reference[i] = row < 0 ? 0 : column[row]!;
  }
  return reference;
}

/** Turns differences (in `out`, in written order) into values, in place. */
export function addPrediction(prediction: Prediction, out: Int32Array, stream: number, access: ColumnAccess): void {
  if (prediction.type === 'follow') {
    addFollowed(prediction, out, stream, access);
    return;
  }
  const n = out.length;
  if (prediction.type !== 'kind') {
    const reference = referenceRows(prediction, n, stream, access);
    for (let i = 0; i < n; i++) out[i] = (out[i]! + reference[i]!) | 0;
    return;
  }
  addKinds(prediction, out, access.column(stream, prediction.property));
}

function addKinds({ kinds }: KindPrediction, out: Int32Array, column: Int32Array): void {
  const { kindOf, starts } = kindRows(column, kinds);
  const { before, last } = modeMasks(kinds);
  const differences = out.slice();
  const lastOfKind = new Int32Array(MAX_KINDS);
  let value = 0;
  for (let i = 0; i < out.length; i++) {
    const kind = kindOf[i]!;
    const at = starts[kind]!;
    starts[kind] = at + 1;
    value = (differences[at]! + (value & before[kind]!) + (lastOfKind[kind]! & last[kind]!)) | 0;
    lastOfKind[kind] = value;
    out[i] = value;
  }
}
