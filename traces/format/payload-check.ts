import { MAX_BINARIES, MAX_DEPTH, MAX_ITEMS, MAX_OBJECTS } from './limits.ts';

/** Bytes after the first one, by first byte 0xc0 to 0xdf: of a number, or of the length of what follows. */
const HEAD_BYTES = [
  0, -1, 0, 0, 1, 2, 4, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, -1, -1, -1, -1, -1, 1, 2, 4, 2, 4, 2, 4,
] as const;

/**
 * True if a payload is one whole MessagePack item within the limits of the format, so that decoding it allocates in
 * proportion to its length. A decoder alone allocates what a head declares before it looks for the elements: sixty nested
 * arrays of 2^22 elements each fit 300 bytes. Extension types are refused; the format has none.
 */
export function isBoundedPayload(payload: Uint8Array): boolean {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  /** Items that are still to come at each depth. */
  const pending = new Int32Array(MAX_DEPTH + 1);
  pending[0] = 1;
  let depth = 0;
  let at = 0;
  let items = 0;
  let objects = 0;
  let binaries = 0;
  while (depth >= 0) {
    if (pending[depth] === 0) {
      depth--;
      continue;
    }
    pending[depth]!--;
    const first = payload[at++];
    if (first === undefined || ++items > MAX_ITEMS) return false;
    if (first < 0x80 || first >= 0xe0) continue;
    let body = 0;
    let children = 0;
    if (first < 0x90) children = 2 * (first & 0xf);
    else if (first < 0xa0) children = first & 0xf;
    else if (first < 0xc0) body = first & 0x1f;
    else {
      const head = HEAD_BYTES[first - 0xc0] ?? -1;
      if (head < 0 || at + head > payload.length) return false;
      const declared =
        head === 1 ? view.getUint8(at) : head === 2 ? view.getUint16(at) : head === 4 ? view.getUint32(at) : 0;
      at += head;
      if (first >= 0xd9 && first <= 0xdb) body = declared;
      else if (first >= 0xc4 && first <= 0xc6) {
        body = declared;
        if (++binaries > MAX_BINARIES) return false;
      } else if (first >= 0xde) children = 2 * declared;
      else if (first >= 0xdc) children = declared;
      else continue;
    }
    // An element takes a byte at least.
    if (++objects > MAX_OBJECTS || body > payload.length - at || children > payload.length - at) return false;
    at += body;
    const container = first < 0xa0 || first >= 0xdc;
    if (container) {
      if (++depth > MAX_DEPTH) return false;
      pending[depth] = children;
    }
  }
  return at === payload.length;
}
