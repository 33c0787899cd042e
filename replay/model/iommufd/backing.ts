import { Pinners } from './pinners.ts';

export const PAGE_SIZE = 4096;

/** Contents are remembered in pieces of this many bytes; of the oldest beyond `MOST_PIECES` nothing is known any more. */
const PIECE = 256;
const MOST_PIECES = 1 << 18;

/** A piece of remembered contents: `known` has one bit a byte. */
interface Piece {
  readonly data: Uint8Array;
  readonly known: Uint8Array;
}

let nextBacking = 1;

/**
 * What is behind user memory: a file, a shared or private anonymous mapping. A physical page is (backing, page index); two
 * mappings of one file page are the same physical page.
 */
export class Backing {
  readonly id = nextBacking++;
  /** Pages of a hugetlb file: compound pages of this size, physically contiguous. 0 for single pages. */
  readonly hugeShift: number;
  /** Bytes of a file; pages beyond can't be pinned. Undefined: no limit. */
  size: number | undefined;
  /** A device's own memory: it has no pages that could be pinned. */
  deviceMemory = false;
  /** Fresh memory: what nobody was seen to write is zero. */
  zeroed = false;
  /** Page frame numbers by page index, where the recording has them (/proc/PID/pagemap). */
  frames: Map<number, number> | undefined = undefined;
  /** Pinned through an IOAS now. */
  readonly pinners = new Pinners();
  readonly #pieces = new Map<number, Piece>();

  constructor(size?: number, hugeShift = 0) {
    this.size = size;
    this.hugeShift = hugeShift;
  }

  /** Bytes last seen at a byte offset, or undefined where any of them was never seen. */
  recall(offset: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const index = Math.floor((offset + at) / PIECE);
      const start = (offset + at) % PIECE;
      const count = Math.min(PIECE - start, length - at);
      const piece = this.#pieces.get(index);
      if (piece === undefined) {
        if (!this.zeroed) return undefined;
      } else {
        if (!this.zeroed && !allKnown(piece.known, start, count)) return undefined;
        bytes.set(piece.data.subarray(start, start + count), at);
      }
      at += count;
    }
    return bytes;
  }

  forget(): void {
    this.zeroed = false;
    if (this.#pieces.size > 0) this.#pieces.clear();
  }

  remember(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const index = Math.floor((offset + at) / PIECE);
      const start = (offset + at) % PIECE;
      const count = Math.min(PIECE - start, bytes.length - at);
      let piece = this.#pieces.get(index);
      if (piece === undefined) {
        piece = { data: new Uint8Array(PIECE), known: new Uint8Array(PIECE / 8) };
        this.#pieces.set(index, piece);
        this.#bound();
      }
      piece.data.set(bytes.subarray(at, at + count), start);
      for (let i = start; i < start + count; i++) {
        const byte = i >> 3;
        piece.known[byte] = (piece.known[byte] ?? 0) | (1 << (i & 7));
      }
      at += count;
    }
  }

  #bound(): void {
    if (this.#pieces.size <= MOST_PIECES) return;
    const [oldest] = this.#pieces.keys();
    if (oldest !== undefined) this.#pieces.delete(oldest);
    this.zeroed = false;
  }
}

function allKnown(known: Uint8Array, start: number, count: number): boolean {
  for (let i = start; i < start + count; i++) if (((known[i >> 3] ?? 0) & (1 << (i & 7))) === 0) return false;
  return true;
}
