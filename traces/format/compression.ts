import * as zlib from 'node:zlib';
import { decompress as fzstdDecompress } from 'fzstd';

/** Compression of a column's bytes. Numbers are part of the format. */
export const COMPRESSION = { none: 0, deflate: 1, zstd: 2 } as const;
export type Compression = keyof typeof COMPRESSION;

interface NativeZstd {
  zstdCompressSync(bytes: Uint8Array, options?: object): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options?: object): Uint8Array;
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
}

/** `node:zlib`'s zstd, which Node has since 22.15; older Nodes read zstd by a library and write deflate. */
const native = 'zstdCompressSync' in zlib ? (zlib as unknown as NativeZstd) : undefined;

export const HAS_NATIVE_ZSTD = native !== undefined;

/** What a writer uses unless it is told otherwise. */
export function defaultCompression(): Compression {
  return HAS_NATIVE_ZSTD ? 'zstd' : 'deflate';
}

const DEFLATE_LEVEL = 6;
const ZSTD_LEVEL = 15;

export function compress(bytes: Uint8Array, how: Compression): Uint8Array {
  switch (how) {
    case 'none':
      return bytes;
    case 'deflate':
      return zlib.deflateRawSync(bytes, { level: DEFLATE_LEVEL, memLevel: 9 });
    case 'zstd': {
      if (native === undefined) throw new RangeError('this Node has no zstd; use deflate');
      return native.zstdCompressSync(bytes, { params: { [native.constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
    }
  }
}

/**
 * Bytes of a column whose uncompressed length is known and already checked against a limit.
 * Throws where the content is damaged or of another length.
 */
export function decompress(bytes: Uint8Array, how: number, length: number): Uint8Array {
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
        : fzstdDecompress(checkZstdFrame(bytes, length), new Uint8Array(length));
      break;
    default:
      throw new RangeError(`unknown compression ${how}`);
  }
  if (result.length !== length) throw new RangeError(`column holds ${result.length} bytes, expected ${length}`);
  return result;
}

/**
 * Refuses a zstd frame that would make the library allocate more than the column can hold: a window or content size beyond
 * it (RFC 8878, 3.1.1.1). Our own writers state the content size.
 */
function checkZstdFrame(bytes: Uint8Array, length: number): Uint8Array {
  const descriptor = bytes[4];
  if (bytes.length < 6 || descriptor === undefined) throw new RangeError('zstd frame too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== 0xfd2fb528) throw new RangeError('not a zstd frame');
  const singleSegment = (descriptor & 0x20) !== 0;
  if (!singleSegment) {
    const window = bytes[5] ?? 0xff;
    const base = 2 ** (10 + (window >> 3));
    if (base + (base / 8) * (window & 7) > 128 * 1024 * 1024) throw new RangeError('zstd window too large');
  } else {
    const sizeBytes = [1, 2, 4, 8][descriptor >> 6] ?? 1;
    const at = 5 + ([0, 1, 2, 4][descriptor & 3] ?? 0);
    if (at + sizeBytes > bytes.length) throw new RangeError('zstd frame too short');
    let size: number;
    if (sizeBytes === 1) size = view.getUint8(at);
    else if (sizeBytes === 2) size = view.getUint16(at, true) + 256;
    else if (sizeBytes === 4) size = view.getUint32(at, true);
    else size = Number(view.getBigUint64(at, true));
    if (size !== length) throw new RangeError(`zstd content of ${size} bytes, expected ${length}`);
  }
  return bytes;
}
