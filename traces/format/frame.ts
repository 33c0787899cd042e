import { crc32 } from 'node:zlib';
import { Decoder, Encoder } from '@msgpack/msgpack';
import { MAX_ELEMENTS, MAX_FRAME_BYTES, MAX_STRING_BYTES } from './limits.ts';
import { isBoundedPayload } from './payload-check.ts';

/**
 * A file is `MAGIC`, then frames, then (if it was closed) a trailer. A frame is 12 bytes of header and a payload:
 *
 *     0  4  marker 69 f0 72 72: lets a scan find the next frame behind damage
 *     4  4  length of the payload, little-endian
 *     8  4  CRC-32 of the payload (IEEE 802.3)
 *    12  n  payload: one MessagePack array, its first element the frame's type
 *
 * The trailer is 16 bytes: `TRAILER_MAGIC`, then the offset of the footer frame as u64 little-endian.
 */
export const MAGIC = new Uint8Array([0x89, 0x69, 0x6f, 0x72, 0x72, 0x0d, 0x0a, 0x1a]);
export const TRAILER_MAGIC = new Uint8Array([0x69, 0x6f, 0x72, 0x72, 0x2d, 0x65, 0x6e, 0x64]);
export const TRAILER_BYTES = 16;
export const FRAME_HEADER_BYTES = 12;
const MARKER = 0x7272f069;

/** Frame types. Readers skip those that they don't know. */
export const FRAME = { header: 0, strings: 1, segment: 2, footer: 3 } as const;

const encoder = new Encoder({ initialBufferSize: 1 << 16 });
const decoder = new Decoder({
  maxStrLength: MAX_STRING_BYTES,
  maxBinLength: MAX_FRAME_BYTES,
  maxArrayLength: MAX_ELEMENTS,
  maxMapLength: MAX_ELEMENTS,
  maxExtLength: 0,
});

/** A whole frame: header and payload. */
export function encodeFrame(content: readonly unknown[]): Uint8Array {
  const payload = encoder.encodeSharedRef(content);
  if (payload.length > MAX_FRAME_BYTES) throw new RangeError(`frame of ${payload.length} bytes exceeds the limit`);
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, MARKER, true);
  view.setUint32(4, payload.length, true);
  view.setUint32(8, crc32(payload), true);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Payload length and checksum, or undefined where these 12 bytes can't begin a frame. */
export function parseFrameHeader(bytes: Uint8Array): { length: number; checksum: number } | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  if (view.getUint32(0, true) !== MARKER) return undefined;
  const length = view.getUint32(4, true);
  if (length > MAX_FRAME_BYTES) return undefined;
  return { length, checksum: view.getUint32(8, true) };
}

/** The content of a payload, or undefined where the checksum or the encoding is wrong. */
export function decodePayload(payload: Uint8Array, checksum: number): readonly unknown[] | undefined {
  if (crc32(payload) !== checksum || !isBoundedPayload(payload)) return undefined;
  try {
    const content: unknown = decoder.decode(payload);
    return Array.isArray(content) && content.length > 0 ? content : undefined;
  } catch {
    return undefined;
  }
}

/** Offset of the next frame marker in `bytes` at or after `from`; -1 if none. */
export function findMarker(bytes: Uint8Array, from: number): number {
  for (let i = bytes.indexOf(0x69, from); i >= 0 && i + 4 <= bytes.length; i = bytes.indexOf(0x69, i + 1)) {
    if (bytes[i + 1] === 0xf0 && bytes[i + 2] === 0x72 && bytes[i + 3] === 0x72) return i;
  }
  return -1;
}

export function encodeTrailer(footerOffset: number): Uint8Array {
  const trailer = new Uint8Array(TRAILER_BYTES);
  trailer.set(TRAILER_MAGIC);
  new DataView(trailer.buffer).setBigUint64(8, BigInt(footerOffset), true);
  return trailer;
}

/** Offset of the footer frame, or undefined where these bytes are no trailer. */
export function parseTrailer(bytes: Uint8Array): number | undefined {
  if (bytes.length !== TRAILER_BYTES || TRAILER_MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined;
  const offset = new DataView(bytes.buffer, bytes.byteOffset, TRAILER_BYTES).getBigUint64(8, true);
  return offset <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(offset) : undefined;
}
