import { inflateSync } from 'node:zlib';
import { COMPRESSION, decompress } from '../../../traces/format/compression.ts';
import { DatDamage } from './dat-cursor.ts';
import type { DatCursor } from './dat-cursor.ts';

/** How trace-cmd compressed sections and chunks of a file. */
export interface Codec {
  readonly name: string;
  /** Content of exactly `length` bytes. Throws where it is damaged. */
  decode(bytes: Uint8Array, length: number): Uint8Array;
}

const CODECS: readonly Codec[] = [
  { name: 'zstd', decode: (bytes, length) => decompress(bytes, COMPRESSION.zstd, length) },
  { name: 'zlib', decode: (bytes, length) => inflateSync(bytes, { maxOutputLength: Math.max(1, length) }) },
];

export function findCodec(name: string): Codec | undefined {
  return CODECS.find((codec) => codec.name === name);
}

/** Largest piece that is decompressed at once. trace-cmd's chunks hold 10 sub-buffers; its texts a few MiB. */
const MAX_PIECE = 64 * 1024 * 1024;
/** No compressor of these writes more than this much beside what it was given. */
const SLACK = 64 * 1024;

/** Reads `u32 compressed, u32 uncompressed, data` and decompresses it. Throws `DatDamage`. */
export function readPiece(cursor: DatCursor, codec: Codec): Uint8Array {
  const from = cursor.pos;
  const packed = cursor.u32();
  const length = cursor.u32();
  if (length > MAX_PIECE || packed > length + SLACK) {
    throw new DatDamage(`a piece of ${packed} bytes can't hold ${length}`, from);
  }
  const bytes = cursor.bytes(packed);
  try {
    const content = codec.decode(bytes, length);
    if (content.length === length) return content;
    throw new RangeError(`${content.length} bytes instead of ${length}`);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new DatDamage(`${codec.name}: ${what}`, from);
  }
}
