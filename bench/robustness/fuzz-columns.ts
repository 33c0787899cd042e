import { ByteBuffer } from '../../traces/format/byte-buffer.ts';
import { INT_CODECS } from '../../traces/format/codecs/codecs.ts';
import { decodeColumn } from '../../traces/format/column.ts';
import { COMPRESSION, HAS_NATIVE_ZSTD, compress } from '../../traces/format/compression.ts';
import type { Compression } from '../../traces/format/compression.ts';
import { writePrediction } from '../../traces/format/prediction.ts';
import { residuals } from '../../traces/format/residuals.ts';
import type { ColumnAccess, Prediction } from '../../traces/format/prediction.ts';
import { Random } from '../../traces/random.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutateBytes } from './mutate-bytes.ts';

const ROWS = 120;
const STREAM = 4;
const PROPERTY = 2;
const MODES = [0, 1, 2, 3] as const;

/** An encoded column, open: its values' codec, and what is compressed only when it is written. */
interface Base {
  readonly prediction: Prediction | undefined;
  readonly codec: number;
  readonly variant: number;
  readonly raw: Uint8Array;
}

/** What columns may be predicted from. */
function neighbours(): ColumnAccess {
  const random = new Random(3);
  const far = Int32Array.from({ length: ROWS }, () => random.int32() & ~0xfff);
  const kinds = Int32Array.from({ length: ROWS }, (_, i) => i % MODES.length);
  return {
    column: (stream, property) => {
      if (stream > STREAM || property > PROPERTY) throw new RangeError(`no column ${property} of stream ${stream}`);
      return property === 0 ? kinds : far;
    },
    newestBefore: () => Int32Array.from({ length: ROWS }, (_, i) => i - 1),
  };
}

const PREDICTIONS: readonly (Prediction | undefined)[] = [
  undefined,
  { type: 'row', property: 1 },
  { type: 'last', stream: 1, property: 1 },
  { type: 'kind', property: 0, kinds: MODES.map((mode) => ({ value: mode, mode: mode % 3 })) },
  {
    type: 'follow',
    property: 0,
    stream: 1,
    otherKind: 0,
    other: 1,
    kinds: MODES.map((mode) => ({ value: mode, mode })),
  },
];

/** Columns of every codec, in all its variants, plain and by every prediction. */
function bases(access: ColumnAccess): Base[] {
  const random = new Random(7);
  const shapes: ((row: number) => number)[] = [
    () => 5,
    (row) => row * 4096,
    (row) => (row * 4096) ^ (random.int32() & 0xfff),
    (row) => row % 3,
    (row) => (row < 60 ? 1 : -7),
    () => random.int32(),
    () => (random.int32() >> 12) << 12,
  ];
  const found: Base[] = [];
  for (const shape of shapes) {
    const values = Int32Array.from({ length: ROWS }, (_, row) => shape(row));
    for (const prediction of PREDICTIONS) {
      const written = prediction === undefined ? values : residuals(prediction, values, STREAM, access);
      for (const codec of INT_CODECS) {
        for (let variant = 0; variant < codec.variants; variant++) {
          const out = new ByteBuffer(new Uint8Array(16));
          if (!codec.encode(written, variant, out)) continue;
          found.push({ prediction, codec: codec.id, variant, raw: out.take() });
        }
      }
    }
  }
  return found;
}

function encoded({ prediction, codec, variant }: Base, raw: Uint8Array, how: Compression): Uint8Array {
  const out = new ByteBuffer(new Uint8Array(256));
  if (prediction !== undefined) {
    out.bytes[0] = 254;
    out.length = 1;
    writePrediction(prediction, out);
  }
  out.reserve(64);
  for (const byte of [codec, variant, COMPRESSION[how]]) out.varint(byte);
  out.varint(raw.length);
  return new Uint8Array(Buffer.concat([out.bytes.subarray(0, out.length), compress(raw, how)]));
}

/**
 * Damaged columns of every codec and prediction, in half of the cases damaged before they are compressed: no checksum and no
 * compression stands before the decoder.
 */
export function fuzzColumns(): FuzzTarget {
  const access = neighbours();
  const all = bases(access);
  const missing = INT_CODECS.filter(({ id }) => !all.some(({ codec }) => codec === id));
  if (missing.length > 0) throw new Error(`no column of codec ${missing.map(({ name }) => name).join(', ')}`);
  const ways: readonly Compression[] = HAS_NATIVE_ZSTD ? ['none', 'deflate', 'zstd'] : ['none', 'deflate'];
  return {
    make(random) {
      const base = all[random.below(all.length)] as Base;
      const how = ways[random.below(ways.length)] as Compression;
      const inside = random.chance(0.5);
      const { name, bytes } = mutateBytes([inside ? base.raw : encoded(base, base.raw, how)], random);
      return inside ? { name: `${name} inside`, bytes: encoded(base, bytes, how) } : { name, bytes };
    },
    take(bytes, random) {
      const rows = random.chance(0.8) ? ROWS : random.below(2 * ROWS);
      const out = new Int32Array(rows);
      try {
        decodeColumn(bytes, out, undefined, { stream: STREAM, property: PROPERTY, access });
        return { refused: undefined, events: rows };
      } catch (error) {
        const { code } = error as { readonly code?: unknown };
        const damaged = error instanceof RangeError && !/call stack|array length|array buffer/i.test(error.message);
        if (damaged || (typeof code === 'string' && code.startsWith('Z_'))) return { refused: 'damaged', events: 0 };
        throw error;
      }
    },
  };
}
