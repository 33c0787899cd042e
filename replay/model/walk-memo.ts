import { BLOCK_SHIFT, MEMO_ENTRY, MEMO_HASH, PAGE_BITS, STATE } from './kernel-layout.ts';
import type { KernelMemory } from './kernel-memory.ts';

const BLOCK_PAGES = 1 << BLOCK_SHIFT;
const FIRST_ENTRIES = 512;
/** int32 words of an entry of the hash table: number of the block, low and high, then the address of its words. */
const ENTRY_WORDS = MEMO_ENTRY >>> 2;

/**
 * What walks found, so that a kernel need not ask again while the tables stay as they are: blocks of 512 pages, each page with the
 * low word of its output page or 0 where it is not known, found by a hash table.
 */
export class WalkMemo {
  readonly #memory: KernelMemory;
  #blocks = 0;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
    this.#setTable(FIRST_ENTRIES);
  }

  /** Remembers the output of a page, given as a key. */
  remember(high: number, low: number, output: number): void {
    const blockLo = (low >>> BLOCK_SHIFT) | (high << (32 - BLOCK_SHIFT));
    const blockHi = high >>> BLOCK_SHIFT;
    let entry = this.#entryOf(blockLo, blockHi);
    if (!this.#used(entry)) {
      if (++this.#blocks * 2 > this.#entries) this.#grow();
      const words = this.#memory.allocate(BLOCK_PAGES * 4);
      entry = this.#entryOf(blockLo, blockHi);
      const { ints } = this.#memory;
      ints[entry] = blockLo;
      ints[entry + 1] = blockHi;
      ints[entry + 2] = words;
    }
    const { ints } = this.#memory;
    ints[(ints[entry + 2]! >>> 2) + (low & (BLOCK_PAGES - 1))] = output;
  }

  /** Forgets pages of an address space. */
  forget(space: number, page: number, count: number): void {
    const last = page + count - 1;
    const firstBlock = Math.floor(page / BLOCK_PAGES);
    const lastBlock = Math.floor(last / BLOCK_PAGES);
    const origin = space * 2 ** (PAGE_BITS - BLOCK_SHIFT);
    const { ints } = this.#memory;
    const clear = (entry: number, block: number): void => {
      if (!this.#used(entry)) return;
      const words = ints[entry + 2]! >>> 2;
      const from = block === firstBlock ? page % BLOCK_PAGES : 0;
      const to = block === lastBlock ? (last % BLOCK_PAGES) + 1 : BLOCK_PAGES;
      ints.fill(0, words + from, words + to);
    };
    if (lastBlock - firstBlock <= this.#blocks) {
      for (let block = firstBlock; block <= lastBlock; block++) {
        const number = origin + block;
        clear(this.#entryOf(number | 0, (number / 2 ** 32) | 0), block);
      }
      return;
    }
    // fewer are remembered than are named
    const table = this.#table;
    for (let entry = table; entry < table + this.#entries * ENTRY_WORDS; entry += ENTRY_WORDS) {
      const block = (ints[entry + 1]! >>> 0) * 2 ** 32 + (ints[entry]! >>> 0) - origin;
      if (block >= firstBlock && block <= lastBlock) clear(entry, block);
    }
  }

  get #table(): number {
    return this.#memory.ints[STATE.memoTable >>> 2]! >>> 2;
  }

  get #entries(): number {
    return this.#memory.ints[STATE.memoMask >>> 2]! / MEMO_ENTRY + 1;
  }

  /** No block has number 0: address spaces are counted from 1. */
  #used(entry: number): boolean {
    const { ints } = this.#memory;
    return (ints[entry]! | ints[entry + 1]!) !== 0;
  }

  /** Entry of a block, or the empty one where it belongs. */
  #entryOf(blockLo: number, blockHi: number): number {
    const { ints } = this.#memory;
    const table = this.#table;
    const mask = ints[STATE.memoMask >>> 2]!;
    const mixed = Math.imul(blockLo, MEMO_HASH.low) ^ Math.imul(blockHi, MEMO_HASH.high);
    let slot = ((mixed >>> MEMO_HASH.shift) * MEMO_ENTRY) & mask;
    for (;;) {
      const entry = table + (slot >>> 2);
      if (!this.#used(entry)) return entry;
      if (ints[entry] === blockLo && ints[entry + 1] === blockHi) return entry;
      slot = (slot + MEMO_ENTRY) & mask;
    }
  }

  #setTable(entries: number): void {
    const table = this.#memory.allocate(entries * MEMO_ENTRY);
    const { ints } = this.#memory;
    ints[STATE.memoTable >>> 2] = table;
    ints[STATE.memoMask >>> 2] = (entries - 1) * MEMO_ENTRY;
  }

  #grow(): void {
    const from = this.#table;
    const entries = this.#entries;
    this.#setTable(entries * 2);
    const { ints } = this.#memory;
    for (let at = from; at < from + entries * ENTRY_WORDS; at += ENTRY_WORDS) {
      if (this.#used(at)) ints.copyWithin(this.#entryOf(ints[at]!, ints[at + 1]!), at, at + 3);
    }
  }
}
