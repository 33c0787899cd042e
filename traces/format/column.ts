import { ByteBuffer, ByteReader } from './byte-buffer.ts';
import { INT_CODECS } from './codecs/codecs.ts';
import { COMPRESSION, compress, decompress } from './compression.ts';
import type { Compression } from './compression.ts';

/** Segments after which a column's codec is chosen anew by trying all of them. */
const TRIAL_PERIOD = 24;
/** Compressing fewer bytes than this never pays for its own overhead. */
const SMALLEST_COMPRESSED = 24;

interface Choice {
  codec: number;
  variant: number;
  age: number;
}

/**
 * Encodes integer columns, each by the codec that gives the fewest bytes. All are tried on the first block of a column
 * and on every 24th after it; between, the last winner is used (trying takes some ten times as long as encoding).
 *
 * Layout: codec, variant, compression, then the uncompressed length as a varint, then the bytes.
 */
export class ColumnEncoder {
  readonly #compression: Compression;
  readonly #choices = new Map<string, Choice>();
  readonly #scratch = new ByteBuffer();

  constructor(compression: Compression) {
    this.#compression = compression;
  }

  /** `key` names the column over all segments, for the memory of its codec. */
  encode(key: string, values: Int32Array): Uint8Array {
    const choice = this.#choices.get(key);
    const flat = this.#attempt(0, 0, values);
    if (flat !== undefined) return flat;
    if (choice !== undefined && choice.age < TRIAL_PERIOD) {
      choice.age++;
      const encoded = this.#attempt(choice.codec, choice.variant, values);
      if (encoded !== undefined) return encoded;
    }
    let best: Uint8Array | undefined;
    for (const codec of INT_CODECS) {
      for (let variant = 0; variant < codec.variants; variant++) {
        const encoded = this.#attempt(codec.id, variant, values);
        if (encoded === undefined || (best !== undefined && encoded.length >= best.length)) continue;
        best = encoded;
        this.#choices.set(key, { codec: codec.id, variant, age: 0 });
      }
    }
    if (best === undefined) throw new RangeError(`no codec holds column ${key}`);
    return best;
  }

  /** A byte string as it is, compressed if that is smaller. Same layout, codec 255. */
  encodeBytes(bytes: Uint8Array): Uint8Array {
    return this.#pack(255, 0, bytes);
  }

  #attempt(codec: number, variant: number, values: Int32Array): Uint8Array | undefined {
    const scratch = this.#scratch;
    scratch.clear();
    if (INT_CODECS[codec]?.encode(values, variant, scratch) !== true) return undefined;
    return this.#pack(codec, variant, scratch.bytes.subarray(0, scratch.length));
  }

  #pack(codec: number, variant: number, raw: Uint8Array): Uint8Array {
    let how: Compression = 'none';
    let body = raw;
    if (this.#compression !== 'none' && raw.length >= SMALLEST_COMPRESSED) {
      const smaller = compress(raw, this.#compression);
      if (smaller.length < raw.length) {
        how = this.#compression;
        body = smaller;
      }
    }
    const head = new ByteBuffer();
    head.bytes[0] = codec;
    head.bytes[1] = variant;
    head.bytes[2] = COMPRESSION[how];
    head.length = 3;
    head.varint(raw.length);
    const result = new Uint8Array(head.length + body.length);
    result.set(head.bytes.subarray(0, head.length));
    result.set(body, head.length);
    return result;
  }
}

function unpack(bytes: Uint8Array, limit: number): { codec: number; variant: number; raw: Uint8Array } {
  const reader = new ByteReader(bytes);
  const codec = reader.byte();
  const variant = reader.byte();
  const how = reader.byte();
  const length = reader.varint();
  if (length > limit) throw new RangeError(`column of ${length} bytes exceeds the limit of ${limit}`);
  return { codec, variant, raw: decompress(reader.rest(), how, length) };
}

/** Fills `out` from an encoded column. Throws `RangeError` or a zlib error where the bytes are damaged. */
export function decodeColumn(bytes: Uint8Array, out: Int32Array): void {
  const { codec, variant, raw } = unpack(bytes, 1024 + out.length * 16);
  const decoder = INT_CODECS[codec];
  if (decoder === undefined || variant >= decoder.variants) throw new RangeError(`unknown codec ${codec}.${variant}`);
  decoder.decode(new ByteReader(raw), variant, out);
}

/** The bytes that `encodeBytes` was given; at most `limit`. */
export function decodeByteString(bytes: Uint8Array, limit: number): Uint8Array {
  const { codec, raw } = unpack(bytes, limit);
  if (codec !== 255) throw new RangeError(`byte string expected, found codec ${codec}`);
  return raw;
}
