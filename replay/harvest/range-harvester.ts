import type { PageTableFormat } from '../model/page-table-format.ts';
import { groupOrder, isDirty, isLeaf } from '../model/table-entry.ts';
import { FRAME_WORDS } from '../model/table-pool.ts';
import type { TableReader } from '../model/table-reader.ts';
import { clearDirty } from './dirty-bit.ts';
import { BLOCK_BYTES, scanKernel } from './scan-kernel.ts';
import type { ScanKernel } from './scan-kernel.ts';
import { sharedReader } from './table-memory.ts';
import type { SharedTables } from './table-memory.ts';

const ENTRY_BYTES = 8;
const BLOCK_ENTRIES = BLOCK_BYTES / ENTRY_BYTES;

/** As GET_DIRTY_BITMAP has it: bit 0 stands for the first page of the request, bit k of word i for page 32 i + k. */
export interface DirtyBitmap {
  readonly words: Int32Array;
  /** Log2 of the bytes that a bit stands for. */
  readonly pageShift: number;
}

/**
 * One thread's part of a harvest over tables that other threads write to. Blocks of entries are read without synchronisation, which
 * may miss a write that happens meanwhile but nothing else: an aligned 32-bit read is one of the values that the word had
 * since the thread last synchronised with the writer, only a harvest makes entries clean, and it does so with a locked
 * read-modify-write. So a bit that is not seen now stays set and is reported by the next harvest that begins after the write; a
 * bit that is seen is cleared and reported by exactly one. Maps must not change meanwhile: IOMMUFD holds the IOAS's lock.
 *
 * Of a leaf of several entries any dirty one counts and all are cleared, before it is reported. Holes are passed over.
 */
export class RangeHarvester {
  /** Since it was made: dirty leaves found, and entries that became clean. */
  leaves = 0;
  cleared = 0;
  readonly #reader: TableReader;
  readonly #format: PageTableFormat;
  readonly #words: Int32Array;
  readonly #scan: ScanKernel;
  /** By level: bits of a low word that an entry is known by, and what they are in a clean leaf of one entry. */
  readonly #masks: readonly number[];
  readonly #cleans: readonly number[];
  readonly #bits: Int32Array;
  /** The format's pages that one bit stands for. */
  readonly #bitPages: number;
  #start = 0;
  #end = 0;
  #origin = 0;
  #clear = true;

  /** Throws `RangeError` if a bit of the bitmap stands for less than a page of the format. */
  constructor(shared: SharedTables, bitmap: DirtyBitmap) {
    const reader = sharedReader(shared);
    const { format } = reader;
    this.#reader = reader;
    this.#format = format;
    this.#words = reader.pool.words;
    this.#scan = scanKernel(shared.memory);
    const { mask, dirty } = format.dirty;
    const kinds = format.leafMark.map((_, level) => kindBits(format, level));
    this.#masks = kinds.map((kind) => mask | kind.mask);
    this.#cleans = kinds.map((kind) => (mask & ~dirty) | kind.leaf);
    this.#bits = bitmap.words;
    this.#bitPages = 2 ** (bitmap.pageShift - format.pageShift);
    if (this.#bitPages < 1)
      throw new RangeError(`a bit for 2^${bitmap.pageShift} bytes, pages of 2^${format.pageShift}`);
  }

  /**
   * Sets the bits of all dirty leaves among pages [`start`, `end`) and, if `clear`, makes them clean. Bit 0 stands for page
   * `origin`. Other threads must not have bits in the same words, nor a part of the same leaf.
   */
  harvest(start: number, end: number, clear = true, origin: number = start): void {
    const reader = this.#reader;
    this.#start = start;
    this.#end = Math.min(end, start + reader.room(start));
    this.#origin = origin;
    this.#clear = clear;
    const span = this.#format.geometry.spans[reader.levels - 1]!;
    const reach = span * (reader.maskOf(reader.levels - 1) + 1);
    this.#end = Math.min(this.#end, reach);
    if (this.#start < this.#end) this.#table(reader.root, reader.levels - 1, 0);
  }

  /** What of the range a table has: `page` is the first page under it. */
  #table(table: number, level: number, page: number): void {
    const span = this.#format.geometry.spans[level]!;
    const first = this.#start <= page ? 0 : Math.floor((this.#start - page) / span);
    const last = Math.min(this.#reader.maskOf(level), Math.ceil((this.#end - page) / span) - 1);
    const base = table * FRAME_WORDS * 4;
    const end = (base + (last + 1) * ENTRY_BYTES + BLOCK_BYTES - 1) & -BLOCK_BYTES;
    const mask = this.#masks[level]!;
    const clean = this.#cleans[level]!;
    let next = first;
    let cached = false;
    for (;;) {
      const block = this.#scan((base + next * ENTRY_BYTES) & -BLOCK_BYTES, end, mask, clean);
      if (block >= end) return;
      // a locked operation holds up all reads behind it; so the rest of the table comes into the cache before the first one
      if (!cached) this.#scan(block, end, 0, 0);
      cached = true;
      const from = Math.max(next, (block - base) / ENTRY_BYTES);
      next = this.#entries(
        table,
        level,
        page,
        from,
        Math.min(last, ((block - base) / ENTRY_BYTES) | (BLOCK_ENTRIES - 1)),
      );
      if (next > last) return;
    }
  }

  /** Entries `from` to `to` of a table, one by one. Returns the index behind the last that was dealt with. */
  #entries(table: number, level: number, page: number, from: number, to: number): number {
    const words = this.#words;
    const format = this.#format;
    const mask = this.#masks[level]!;
    const clean = this.#cleans[level]!;
    const span = format.geometry.spans[level]!;
    let index = from;
    while (index <= to) {
      const slot = table * FRAME_WORDS + index * 2;
      const low = words[slot]!;
      if ((low & mask) === clean || (low & format.presentMask) === 0) {
        index++;
        continue;
      }
      const at = page + index * span;
      if (!isLeaf(format, low, level)) {
        this.#table(this.#reader.tableIn(low), level - 1, at);
        index++;
        continue;
      }
      const high = words[slot + 1]!;
      const order = groupOrder(format, low, high, level);
      if (order > 0) {
        index = this.#group(table, index, order, page, span);
        continue;
      }
      index++;
      if (!isDirty(format, low, high)) continue;
      if (this.#clear) {
        if (!isDirty(format, clearDirty(words, slot, format), high)) continue;
        this.cleared++;
      }
      this.#report(at, at + span);
    }
    return index;
  }

  /** A leaf of 2^order entries, `index` one of them. Returns the index behind it. */
  #group(table: number, index: number, order: number, page: number, span: number): number {
    const words = this.#words;
    const format = this.#format;
    const first = index & (-1 << order);
    const behind = first + (1 << order);
    let dirty = false;
    for (let i = first; i < behind; i++) {
      const slot = table * FRAME_WORDS + i * 2;
      const high = words[slot + 1]!;
      if (!isDirty(format, words[slot]!, high)) continue;
      if (this.#clear) {
        if (!isDirty(format, clearDirty(words, slot, format), high)) continue;
        this.cleared++;
      }
      dirty = true;
    }
    if (dirty) this.#report(page + first * span, page + behind * span);
    return behind;
  }

  /** Sets the bits of a leaf's pages, as far as they are in the range. */
  #report(leaf: number, behind: number): void {
    this.leaves++;
    let from = (leaf > this.#start ? leaf : this.#start) - this.#origin;
    let to = (behind < this.#end ? behind : this.#end) - 1 - this.#origin;
    const pages = this.#bitPages;
    if (pages > 1) {
      from = Math.floor(from / pages);
      to = Math.floor(to / pages);
    }
    const bits = this.#bits;
    const word = from >>> 5;
    const lastWord = to >>> 5;
    const head = -1 << (from & 31);
    const tail = -1 >>> (31 - (to & 31));
    if (word === lastWord) {
      bits[word]! |= head & tail;
      return;
    }
    bits[word]! |= head;
    bits.fill(-1, word + 1, lastWord);
    bits[lastWord]! |= tail;
  }
}

/**
 * Low bits above level 0 in which pointers to tables differ from all leaves of one entry, and what leaves have there. A hole or a
 * leaf of several entries may differ too; it is looked at for nothing.
 */
function kindBits(format: PageTableFormat, level: number): { readonly mask: number; readonly leaf: number } {
  if (level === 0) return { mask: 0, leaf: 0 };
  const mark = format.leafMark[level] ?? 0;
  const table = format.tableLow[level] ?? 0;
  const ones = format.leafLow.reduce((bits, low) => bits & (low | mark), -1);
  const zeros = ~format.leafLow.reduce<number>((bits, low) => bits | low, mark);
  const mask = format.kindMask & ((ones & ~table) | (zeros & table));
  return { mask, leaf: ones & mask };
}
