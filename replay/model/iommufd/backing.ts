import type { Pages } from './pages.ts';

export const PAGE_SIZE = 4096;

/** 4 KiB of remembered contents: `known` has one bit a byte. */
interface PageBytes {
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
  /** Whether contents that nothing was written to are zero for certain. */
  zeroed = false;
  /** Page frame numbers by page index, where the recording has them (/proc/PID/pagemap). */
  frames: Map<number, number> | undefined = undefined;
  /** Pinned through an IOAS now. */
  readonly pinners = new Set<Pages>();
  readonly #pages = new Map<number, PageBytes>();

  constructor(size?: number, hugeShift = 0) {
    this.size = size;
    this.hugeShift = hugeShift;
  }

  /** Bytes last seen at a byte offset, or undefined where any of them was never seen. */
  recall(offset: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const index = Math.floor((offset + at) / PAGE_SIZE);
      const start = (offset + at) % PAGE_SIZE;
      const count = Math.min(PAGE_SIZE - start, length - at);
      const page = this.#pages.get(index);
      if (page === undefined) {
        if (!this.zeroed) return undefined;
      } else {
        if (!this.zeroed && !allKnown(page.known, start, count)) return undefined;
        bytes.set(page.data.subarray(start, start + count), at);
      }
      at += count;
    }
    return bytes;
  }

  forget(): void {
    if (this.#pages.size > 0) this.#pages.clear();
  }

  remember(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const index = Math.floor((offset + at) / PAGE_SIZE);
      const start = (offset + at) % PAGE_SIZE;
      const count = Math.min(PAGE_SIZE - start, bytes.length - at);
      let page = this.#pages.get(index);
      if (page === undefined) {
        page = { data: new Uint8Array(PAGE_SIZE), known: new Uint8Array(PAGE_SIZE / 8) };
        this.#pages.set(index, page);
      }
      page.data.set(bytes.subarray(at, at + count), start);
      for (let i = start; i < start + count; i++) {
        const byte = i >> 3;
        page.known[byte] = (page.known[byte] ?? 0) | (1 << (i & 7));
      }
      at += count;
    }
  }
}

function allKnown(known: Uint8Array, start: number, count: number): boolean {
  for (let i = start; i < start + count; i++) if (((known[i >> 3] ?? 0) & (1 << (i & 7))) === 0) return false;
  return true;
}
