import { inflateSync } from 'node:zlib';
import { COMPRESSION, decompress } from '../../../traces/format/compression.ts';
import { DatDamage } from './dat-cursor.ts';
import type { DatCursor } from './dat-cursor.ts';

/** How trace-cmd compressed sections and chunks of a file. */
export interface Codec {
  readonly name: string;
  /** Content of exactly `length` bytes, perhaps in `room`. Throws where it is damaged. */
  decode(bytes: Uint8Array, length: number, room?: Uint8Array): Uint8Array;
}

const CODECS: readonly Codec[] = [
  { name: 'zstd', decode: (bytes, length, room) => decompress(bytes, COMPRESSION.zstd, length, room) },
  { name: 'zlib', decode: (bytes, length) => inflateSync(bytes, { maxOutputLength: Math.max(1, length) }) },
];

export function findCodec(name: string): Codec | undefined {
  return CODECS.find((codec) => codec.name === name);
}

/** Largest section that is decompressed: the formats of a kernel's events have a few MiB. */
export const MAX_SECTION = 64 * 1024 * 1024;
/** No compressor of these writes more than this much beside what it was given. */
const SLACK = 64 * 1024;

/**
 * Reads `u32 compressed, u32 uncompressed, data` and decompresses it, to `most` bytes at most, perhaps into `room`. Throws
 * `DatDamage`.
 */
export function readPiece(cursor: DatCursor, codec: Codec, most: number, room?: Uint8Array): Uint8Array {
  const from = cursor.pos;
  const packed = cursor.u32();
  const length = cursor.u32();
  if (length > most || packed > length + SLACK) {
    throw new DatDamage(`${packed} compressed bytes for ${length}, at most ${most} expected`, from);
  }
  const bytes = cursor.bytes(packed);
  try {
    const content = codec.decode(bytes, length, room);
    if (content.length === length) return content;
    throw new RangeError(`${content.length} bytes instead of ${length}`);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new DatDamage(`${codec.name}: ${what}`, from);
  }
}
