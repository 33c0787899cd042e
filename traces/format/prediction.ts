import type { ByteBuffer, ByteReader } from './byte-buffer.ts';

/**
 * Columns that follow from others: the flush after an unmap names the unmap's address, the DMA API's unmap repeats the one of
 * the IOMMU core. What is written is the difference to a prediction, and the prediction is one of these:
 *
 * - `row`: another column of the same row;
 * - `last`: a column of the newest event of another stream, in trace order;
 * - `kind`: by the value of a small column of the same row (the origin of a map, the form of a command), the value of the row
 *   before, or of the last row of the same kind, or nothing. The differences are then written grouped by kind.
 *
 * References point only to streams of a lower number, or to earlier columns of the same stream, so that decoding ends.
 */
export type Prediction =
  | { readonly type: 'row'; readonly property: number }
  | { readonly type: 'last'; readonly stream: number; readonly property: number }
  | { readonly type: 'kind'; readonly property: number; readonly kinds: readonly KindMode[] };

export interface KindMode {
  readonly value: number;
  /** 0: predict 0, 1: the row before, 2: the last row of this kind. */
  readonly mode: number;
}

/** What a predictor may look at: integer columns of the segment by stream and property number. */
export interface ColumnAccess {
  column(stream: number, property: number): Int32Array;
  /** For each row of `stream`, the newest row of `other` before it in trace order; -1 if there is none. */
  newestBefore(stream: number, other: number): Int32Array;
}

const TYPES = ['row', 'last', 'kind'] as const;
/** More kinds than this are no kinds. */
export const MAX_KINDS = 8;

export function writePrediction(prediction: Prediction, out: ByteBuffer): void {
  out.reserve(64 + MAX_KINDS * 10);
  out.varint(TYPES.indexOf(prediction.type));
  if (prediction.type === 'last') out.varint(prediction.stream);
  out.varint(prediction.property);
  if (prediction.type !== 'kind') return;
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
      if (type === 'row') return { type, property: from };
      const count = reader.varint();
      if (count < 1 || count > MAX_KINDS) throw new RangeError(`${count} kinds`);
      const kinds = Array.from({ length: count }, () => {
        const zigzag = reader.varint();
        const mode = reader.varint();
        if (zigzag > 0xffffffff || mode > 2) throw new RangeError('bad kind');
        return { value: (zigzag >>> 1) ^ -(zigzag & 1), mode };
      });
      return { type, property: from, kinds };
    }
    default:
      throw new RangeError('unknown prediction');
  }
}

/** The distinct values of a column in order of first appearance; undefined if there are more than `MAX_KINDS`. */
export function distinctKinds(values: Int32Array): number[] | undefined {
  const kinds: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (kinds.includes(value)) continue;
    if (kinds.length === MAX_KINDS) return undefined;
    kinds.push(value);
  }
  return kinds;
}

interface KindOrder {
  /** Row indexes grouped by kind, stable. */
  readonly order: Int32Array;
  /** Where each kind's rows begin in `order`; one more element for the end. */
  readonly starts: Int32Array;
  readonly kindOf: Uint8Array;
}

/** Throws `RangeError` where a row is of no listed kind. */
function kindOrder(column: Int32Array, kinds: readonly KindMode[]): KindOrder {
  const n = column.length;
  const kindOf = new Uint8Array(n);
  const starts = new Int32Array(kinds.length + 1);
  // Kinds are small numbers in every stream that has them: one table look-up a row instead of a search.
  const table = new Uint8Array(256).fill(255);
  kinds.forEach(({ value }, kind) => {
    if (value >= 0 && value < 256) table[value] = kind;
  });
  for (let i = 0; i < n; i++) {
    const value = column[i]!;
    let kind = value >= 0 && value < 256 ? table[value]! : 255;
    if (kind === 255) kind = kinds.findIndex((entry) => entry.value === value);
    if (kind < 0) throw new RangeError(`no kind ${value}`);
    kindOf[i] = kind;
    starts[kind + 1]!++;
  }
  for (let kind = 1; kind <= kinds.length; kind++) starts[kind]! += starts[kind - 1]!;
  const at = starts.slice();
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[at[kindOf[i]!]!++] = i;
  return { order, starts, kindOf };
}

/** Differences to the prediction, in the order in which they are written. */
export function residuals(
  prediction: Prediction,
  values: Int32Array,
  stream: number,
  access: ColumnAccess,
): Int32Array {
  const n = values.length;
  const out = new Int32Array(n);
  if (prediction.type === 'kind') {
    const { order, kindOf } = kindOrder(access.column(stream, prediction.property), prediction.kinds);
    const modes = prediction.kinds.map(({ mode }) => mode);
    const lastOfKind = new Int32Array(MAX_KINDS);
    const byRow = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      const kind = kindOf[i]!;
      const mode = modes[kind]!;
      const predicted = mode === 0 ? 0 : mode === 1 ? (i === 0 ? 0 : values[i - 1]!) : lastOfKind[kind]!;
      byRow[i] = (values[i]! - predicted) | 0;
      lastOfKind[kind] = values[i]!;
    }
    for (let k = 0; k < n; k++) out[k] = byRow[order[k]!]!;
    return out;
  }
  const reference = referenceRows(prediction, n, stream, access);
  for (let i = 0; i < n; i++) out[i] = (values[i]! - reference[i]!) | 0;
  return out;
}

function referenceRows(
  prediction: Exclude<Prediction, { type: 'kind' }>,
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
  const n = out.length;
  if (prediction.type !== 'kind') {
    const reference = referenceRows(prediction, n, stream, access);
    for (let i = 0; i < n; i++) out[i] = (out[i]! + reference[i]!) | 0;
    return;
  }
  const { order, starts } = kindOrder(access.column(stream, prediction.property), prediction.kinds);
  const differences = out.slice();
  // Kinds that look only at themselves first: each is one run.
  for (const [kind, { mode }] of prediction.kinds.entries()) {
    const end = starts[kind + 1]!;
    let value = 0;
    for (let k = starts[kind]!; k < end; k++) {
      value = mode === 2 ? (value + differences[k]!) | 0 : differences[k]!;
      out[order[k]!] = value;
    }
  }
  // Kinds that look at the row before need those rows: from front to back over all such kinds at once.
  const looking = prediction.kinds.flatMap(({ mode }, kind) => (mode === 1 ? [kind] : []));
  if (looking.length === 0) return;
  const isLooking = new Uint8Array(n);
  for (const kind of looking) for (let k = starts[kind]!; k < starts[kind + 1]!; k++) isLooking[order[k]!] = 1;
  for (let i = 1; i < n; i++) if (isLooking[i] === 1) out[i] = (out[i]! + out[i - 1]!) | 0;
}

/** Bits of a difference as it is written: what a codec will about need for it. */
export function magnitudeOf(difference: number): number {
  return 32 - Math.clz32((difference << 1) ^ (difference >> 31));
}

/** The mode of each kind that makes its differences smallest; undefined where the column has no few kinds. */
export function chooseModes(values: Int32Array, kindColumn: Int32Array): readonly KindMode[] | undefined {
  const kinds = distinctKinds(kindColumn);
  if (kinds === undefined || kinds.length < 2) return undefined;
  // Bits of the differences of each mode, by kind.
  const zeros = new Float64Array(MAX_KINDS);
  const befores = new Float64Array(MAX_KINDS);
  const sames = new Float64Array(MAX_KINDS);
  const lastOfKind = new Int32Array(MAX_KINDS);
  let kind = 0;
  let kindValue = kinds[0]!;
  let before = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (kindColumn[i] !== kindValue) {
      kindValue = kindColumn[i]!;
      kind = kinds.indexOf(kindValue);
    }
    zeros[kind]! += magnitudeOf(value);
    befores[kind]! += magnitudeOf((value - before) | 0);
    sames[kind]! += magnitudeOf((value - lastOfKind[kind]!) | 0);
    lastOfKind[kind] = value;
    before = value;
  }
  return kinds.map((value, k) => {
    const [zero, other, same] = [zeros[k]!, befores[k]!, sames[k]!];
    return { value, mode: other < same && other < zero ? 1 : same <= zero ? 2 : 0 };
  });
}
