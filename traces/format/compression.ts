import * as zlib from 'node:zlib';
import { ZstdDecoder } from '../zstd/decoder.ts';

/** Compression of a column's bytes. Numbers are part of the format. */
export const COMPRESSION = { none: 0, deflate: 1, zstd: 2 } as const;
/** How blocks are compressed, by name. */
export type Compression = keyof typeof COMPRESSION;

interface NativeZstd {
  zstdCompressSync(bytes: Uint8Array, options?: object): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options?: object): Uint8Array;
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
}

/** `node:zlib`'s zstd, which Node has since 22.15; older Nodes read zstd by `traces/zstd/` and write deflate. */
const native = 'zstdCompressSync' in zlib ? (zlib as unknown as NativeZstd) : undefined;

export const HAS_NATIVE_ZSTD = native !== undefined;

/** What a writer uses unless it is told otherwise. */
export function defaultCompression(): Compression {
  return HAS_NATIVE_ZSTD ? 'zstd' : 'deflate';
}

/** What compression makes hardly smaller is left as it is: to read that takes a tenth of the time. Costs real captures nothing. */
export const WORTH_COMPRESSING = 0.84;

/** Levels. */
const DEFLATE = {
  write: { level: 6, memLevel: 9 },
  // Differences of times hold little that repeats: half the time for 1.4% more bytes.
  times: { level: 5, memLevel: 9 },
} as const;
const ZSTD_LEVEL = { write: 15, times: 15 } as const;
export type Effort = keyof typeof DEFLATE;

export function compress(bytes: Uint8Array, how: Compression, effort: Effort = 'write'): Uint8Array {
  switch (how) {
    case 'none':
      return bytes;
    case 'deflate':
      return zlib.deflateRawSync(bytes, DEFLATE[effort]);
    case 'zstd': {
      if (native === undefined) throw new RangeError('this Node has no zstd; use deflate');
      return native.zstdCompressSync(bytes, {
        params: { [native.constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL[effort] },
      });
    }
  }
}

/**
 * Bytes of a column whose uncompressed length is known and already checked against a limit.
 * Throws where the content is damaged or of another length.
 * @param room may be written over and returned; what is decompressed piece by piece needs no new memory each time
 */
export function decompress(bytes: Uint8Array, how: number, length: number, room?: Uint8Array): Uint8Array {
  let result: Uint8Array;
  switch (how) {
    case COMPRESSION.none:
      result = bytes;
      break;
    case COMPRESSION.deflate:
      result = zlib.inflateRawSync(bytes, {
        maxOutputLength: Math.max(1, length),
        chunkSize: Math.max(64, length + 64),
      });
      break;
    case COMPRESSION.zstd:
      result = native
        ? native.zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, length) })
        : decompressZstd(bytes, length, room);
      break;
    default:
      throw new RangeError(`unknown compression ${how}`);
  }
  if (result.length !== length) throw new RangeError(`column holds ${result.length} bytes, expected ${length}`);
  return result;
}

const NO_ROOM = new Uint8Array(0);
/** Kept from column to column: its tables and buffers are large. */
let zstdDecoder: ZstdDecoder | undefined;

/** Content of one zstd frame on a Node without zstd of its own; stops as soon as it exceeds `length`. */
function decompressZstd(bytes: Uint8Array, length: number, room: Uint8Array = NO_ROOM): Uint8Array {
  const decoder = zstdDecoder ?? new ZstdDecoder();
  zstdDecoder = undefined;
  const content = room.length >= length ? room.subarray(0, length) : new Uint8Array(length);
  let at = 0;
  for (const block of decoder.push(bytes)) {
    if (block.length > length - at) throw new RangeError(`zstd content exceeds ${length} bytes`);
    content.set(block, at);
    at += block.length;
  }
  decoder.end();
  if (decoder.damage !== undefined) throw new RangeError(`zstd: ${decoder.damage}`);
  zstdDecoder = decoder;
  return content.subarray(0, at);
}
