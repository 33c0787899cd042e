import { IorrError } from '../../traces/errors.ts';

/** log2 of the pages of a chunk: 128 MiB of address space, 4 KiB of bitmap. */
const CHUNK_BITS = 15;
const CHUNK_PAGES: number = 2 ** CHUNK_BITS;
const WORDS = CHUNK_PAGES / 32;
const MOST_CHUNKS = 1 << 16;
/** Emptied chunks that are kept for the next use. */
const MOST_SPARE = 1024;

interface Chunk {
  readonly key: number;
  readonly words: Uint32Array;
}

/**
 * A set of page numbers (whole, up to 2^53) as a sparse bitmap: 4 KiB of memory for each 128 MiB of address space that has a
 * member. Throws `LIMIT` where members lie in more than 65,536 of those.
 */
export class PageSet {
  size = 0;
  readonly #chunks = new Map<number, Uint32Array>();
  readonly #spare: Uint32Array[] = [];
  #lastKey = -1;
  #last: Uint32Array = new Uint32Array(0);

  /** False if it was there. */
  add(page: number): boolean {
    const words = this.#chunk(Math.floor(page / CHUNK_PAGES));
    const at = page % CHUNK_PAGES;
    const bit = 1 << (at & 31);
    const word = words[at >>> 5]!;
    if ((word & bit) !== 0) return false;
    words[at >>> 5] = word | bit;
    this.size++;
    return true;
  }

  /** Returns how many were not there. */
  addRange(page: number, count: number): number {
    const before = this.size;
    const end = page + count;
    for (let at = page; at < end; ) {
      const key = Math.floor(at / CHUNK_PAGES);
      const words = this.#chunk(key);
      const from = at - key * CHUNK_PAGES;
      const to = Math.min(CHUNK_PAGES, end - key * CHUNK_PAGES);
      for (let bit = from; bit < to; ) {
        const index = bit >>> 5;
        const take = Math.min(32 - (bit & 31), to - bit);
        const mask = take === 32 ? -1 : ((1 << take) - 1) << (bit & 31);
        this.size += ones(mask & ~words[index]!);
        words[index]! |= mask;
        bit += take;
      }
      at += to - from;
    }
    return this.size - before;
  }

  /** False if it was not there. */
  delete(page: number): boolean {
    const words = this.#chunks.get(Math.floor(page / CHUNK_PAGES));
    const at = page % CHUNK_PAGES;
    const word = words?.[at >>> 5] ?? 0;
    const bit = 1 << (at & 31);
    if (words === undefined || (word & bit) === 0) return false;
    words[at >>> 5] = word & ~bit;
    this.size--;
    return true;
  }

  has(page: number): boolean {
    const words = this.#chunks.get(Math.floor(page / CHUNK_PAGES));
    const at = page % CHUNK_PAGES;
    return words !== undefined && (words[at >>> 5]! & (1 << (at & 31))) !== 0;
  }

  clear(): void {
    for (const words of this.#chunks.values()) {
      if (this.#spare.length >= MOST_SPARE) break;
      this.#spare.push(words.fill(0));
    }
    this.#chunks.clear();
    this.#lastKey = -1;
    this.size = 0;
  }

  /** Smallest member from `page` on and below `end`; -1 where there is none. */
  next(page: number, end: number): number {
    for (let at = page; at < end && this.size > 0; ) {
      const key = Math.floor(at / CHUNK_PAGES);
      const base = key * CHUNK_PAGES;
      const words = this.#chunks.get(key);
      if (words !== undefined) {
        let index = (at - base) >>> 5;
        let word = words[index]! & (-1 << ((at - base) & 31));
        while (word === 0 && ++index < WORDS) word = words[index]!;
        if (word !== 0) {
          const found = base + index * 32 + 31 - Math.clz32(word & -word);
          return found < end ? found : -1;
        }
      }
      at = base + CHUNK_PAGES;
    }
    return -1;
  }

  /** Members that the other set doesn't have. */
  without(other: PageSet): number {
    let count = 0;
    for (const [key, words] of this.#chunks) {
      const others = other.#chunks.get(key);
      for (let i = 0; i < WORDS; i++) {
        const word = words[i]!;
        if (word !== 0) count += ones(others === undefined ? word : word & ~others[i]!);
      }
    }
    return count;
  }

  /** Runs of pages that follow each other: what a bitmap becomes as a list of ranges. */
  runs(): number {
    let runs = 0;
    let previous = -2;
    let carry = 0;
    for (const { key, words } of this.#ascending()) {
      if (key !== previous + 1) carry = 0;
      for (let i = 0; i < WORDS; i++) {
        const word = words[i]!;
        if (word !== 0) runs += ones(word & ~((word << 1) | carry));
        carry = word >>> 31;
      }
      previous = key;
    }
    return runs;
  }

  /** Members, ascending. */
  *pages(): Generator<number> {
    for (const { key, words } of this.#ascending()) {
      for (let i = 0; i < WORDS; i++) {
        for (let word = words[i]!; word !== 0; word &= word - 1) {
          yield key * CHUNK_PAGES + i * 32 + 31 - Math.clz32(word & -word);
        }
      }
    }
  }

  #ascending(): readonly Chunk[] {
    return [...this.#chunks].map(([key, words]) => ({ key, words })).sort((a, b) => a.key - b.key);
  }

  #chunk(key: number): Uint32Array {
    if (key === this.#lastKey) return this.#last;
    let words = this.#chunks.get(key);
    if (words === undefined) {
      if (this.#chunks.size >= MOST_CHUNKS) {
        throw new IorrError('LIMIT', `pages lie scattered over more than ${MOST_CHUNKS * 128} MiB`, {
          hint: 'cut the trace to a shorter time, or filter it to fewer domains',
        });
      }
      words = this.#spare.pop() ?? new Uint32Array(WORDS);
      this.#chunks.set(key, words);
    }
    this.#lastKey = key;
    this.#last = words;
    return words;
  }
}

/** Bits that are set. */
function ones(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
