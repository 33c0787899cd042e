import { IorrError } from '../../traces/errors.ts';
import {
  BLOCK_SHIFT,
  MEMO_ENTRY,
  MEMO_HASH,
  MOST_SPACES,
  PAGE_BITS,
  SALTS_AT,
  STATE,
  TAGS_AT,
  kernelLayout,
  kernelModule,
  saltOf,
} from './kernel-module.ts';
import type { Geometry } from './set-associative-iotlb.ts';

/** More ways than this are moved slower than a list is relinked. */
const MOST_WAYS = 16;
/** Translations at most: all ways of all sets are looked at by a command for many pages. */
const MOST_ENTRIES = 1 << 20;
const PAGE_BYTES = 65536;
const BLOCK_PAGES = 1 << BLOCK_SHIFT;
const FIRST_BLOCKS = 256;
/** Words that commands and accesses of one segment need at most, with room to spare. */
const SEGMENT_WORDS = 1 << 17;

/** What a walk says of a page: it is not mapped; or is, this time; or is until it is forgotten. */
export const WALKED = { fault: 0, once: 1, until: 2 } as const;

/** Walks the page tables on behalf of a kernel. */
export interface Walker {
  /** Low word of the output page that the newest `walk` found. */
  output: number;
  /** A `WALKED` value. */
  walk(space: number, pageLo: number, pageHi: number): number;
}

export interface KernelCounts {
  readonly misses: number;
  readonly invalidated: number;
  /** Sum of the low 32 bits of the output pages of all translations. */
  readonly outputs: bigint;
}

/**
 * A translation cache that is nothing but its sets: the ways of a set lie in order of use, newest first. It has no slots, so
 * nothing can be said of an entry beyond hit and miss. Counts are those of `SetAssociativeIotlb`. It takes a list of words, each
 * the key of an access or (0, first key, last key) of what a command drops, and plays it in WebAssembly.
 */
export interface TranslationKernel {
  /** Memory as int32, two to a word; anew after each `play`. */
  readonly memory: Int32Array;
  /** Index in `memory` of the first word, and how many words there is room for. */
  readonly wordsAt: number;
  readonly room: number;
  /** Plays the first words of the list, or those of a part of it. */
  play(count: number, from?: number): void;
  /** Tells the number of an address space, which picks sets; returns what stands for it in keys. Throws `LIMIT` at 4,096. */
  addSpace(space: number): number;
  /** What `Walker.walk` said of these pages holds no longer. */
  forget(space: number, page: number, count: number): void;
  counts(): KernelCounts;
  /** What the cache holds, to be compared and put back. */
  state(): Uint8Array<ArrayBuffer>;
  setState(state: Uint8Array): void;
}

/** Bits of a key's high word that are the page's. */
export const KEY_PAGE_HIGH_BITS = PAGE_BITS - 32;

/** The part of the platform's WebAssembly that is used. */
interface Platform {
  readonly Memory: new (size: { initial: number; maximum: number }) => Memory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: Memory; readonly walk: (high: number, low: number) => number } },
  ) => { readonly exports: { readonly play: (at: number, end: number) => void } };
}

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const { WebAssembly: platform } = globalThis as unknown as { readonly WebAssembly: Platform };
const MOST_MEMORY_PAGES = 32768;

/** True where a kernel can stand for the geometry: one bank of few ways, least recently used replaced first. */
export function suitsKernel({ banks, replacement }: Geometry): boolean {
  const [bank] = banks;
  if (banks.length !== 1 || bank === undefined || replacement !== 0) return false;
  return bank.ways <= MOST_WAYS && bank.sets * bank.ways <= MOST_ENTRIES;
}

/** `words`: room for that many, where a whole trace is to be held. */
export function createTranslationKernel(geometry: Geometry, walker: Walker, words = SEGMENT_WORDS): TranslationKernel {
  const { sets, ways } = geometry.banks[0]!;
  const { outputsAt, end } = kernelLayout(sets, ways);
  const wordsAt = (end + 63) & ~63;
  let top = wordsAt + words * 8;
  const memory = new platform.Memory({ initial: Math.ceil(top / PAGE_BYTES), maximum: MOST_MEMORY_PAGES });
  let ints = new Int32Array(memory.buffer);
  let blocks = 0;
  let spaces = 0;

  /** First byte of so many, which are zero. */
  const allocate = (bytes: number): number => {
    const at = top;
    top += bytes;
    if (top > memory.buffer.byteLength) {
      const needed = Math.ceil((top - memory.buffer.byteLength) / PAGE_BYTES);
      const pages = memory.buffer.byteLength / PAGE_BYTES;
      const most = MOST_MEMORY_PAGES - pages;
      if (needed > most)
        throw new IorrError('LIMIT', 'the pages of this trace need more than 2 GiB of memory', {
          hint: 'cut the trace to a shorter time, or filter it to fewer domains',
        });
      // by a quarter at least: each growth may move everything
      memory.grow(Math.min(most, Math.max(needed, pages >>> 2)));
      ints = new Int32Array(memory.buffer);
    }
    return at;
  };

  const state = (at: number): number => ints[at >>> 2]!;

  /** Index in `ints` of the entry of a block in the memo's hash table, or of the empty one where it belongs. */
  const entryOf = (blockLo: number, blockHi: number): number => {
    const table = state(STATE.memoTable);
    const mask = state(STATE.memoMask);
    const mixed = Math.imul(blockLo, MEMO_HASH.low) ^ Math.imul(blockHi, MEMO_HASH.high);
    let slot = ((mixed >>> MEMO_HASH.shift) * MEMO_ENTRY) & mask;
    for (;;) {
      const entry = (table + slot) >>> 2;
      if ((ints[entry]! | ints[entry + 1]!) === 0) return entry;
      if (ints[entry] === blockLo && ints[entry + 1] === blockHi) return entry;
      slot = (slot + MEMO_ENTRY) & mask;
    }
  };

  const setTable = (entries: number): void => {
    const table = allocate(entries * MEMO_ENTRY);
    ints[STATE.memoTable >>> 2] = table;
    ints[STATE.memoMask >>> 2] = (entries - 1) * MEMO_ENTRY;
  };

  const growTable = (): void => {
    const from = state(STATE.memoTable) >>> 2;
    const length = (state(STATE.memoMask) + MEMO_ENTRY) >>> 2;
    setTable((length * 4 * 2) / MEMO_ENTRY);
    for (let at = from; at < from + length; at += MEMO_ENTRY >>> 2) {
      if ((ints[at]! | ints[at + 1]!) === 0) continue;
      const entry = entryOf(ints[at]!, ints[at + 1]!);
      ints.copyWithin(entry, at, at + 3);
    }
  };

  const remember = (high: number, low: number, output: number): void => {
    const blockLo = (low >>> BLOCK_SHIFT) | (high << (32 - BLOCK_SHIFT));
    const blockHi = high >>> BLOCK_SHIFT;
    let entry = entryOf(blockLo, blockHi);
    if ((ints[entry]! | ints[entry + 1]!) === 0) {
      if (++blocks * 2 * MEMO_ENTRY > state(STATE.memoMask)) growTable();
      const words = allocate(BLOCK_PAGES * 4);
      entry = entryOf(blockLo, blockHi);
      ints[entry] = blockLo;
      ints[entry + 1] = blockHi;
      ints[entry + 2] = words;
    }
    ints[(ints[entry + 2]! >>> 2) + (low & (BLOCK_PAGES - 1))] = output;
  };

  const walk = (high: number, low: number): number => {
    const said = walker.walk(high >>> KEY_PAGE_HIGH_BITS, low, high & ((1 << KEY_PAGE_HIGH_BITS) - 1));
    if (said === WALKED.fault) return 0;
    const { output } = walker;
    // 0 means not known: such a page is asked for each time
    if (said === WALKED.until && output !== 0) remember(high, low, output);
    ints[STATE.output >>> 2] = output;
    return 1;
  };

  setTable(FIRST_BLOCKS * 2);
  const module = new platform.Module(kernelModule(geometry));
  const { play } = new platform.Instance(module, { env: { memory, walk } }).exports;
  const wide = (at: number): bigint => new DataView(memory.buffer).getBigUint64(at, true);

  return {
    get memory() {
      return ints;
    },
    wordsAt: wordsAt >>> 2,
    room: words,
    play: (count, from = 0) => play(wordsAt + from * 8, wordsAt + (from + count) * 8),

    addSpace(space) {
      if (++spaces >= MOST_SPACES) {
        throw new IorrError('LIMIT', `more than ${MOST_SPACES - 1} address spaces`, {
          hint: 'filter the trace to fewer devices',
        });
      }
      ints[(SALTS_AT >>> 2) + spaces] = saltOf(geometry.index, space);
      return spaces;
    },

    forget(space, page, count) {
      const last = page + count - 1;
      const firstBlock = Math.floor(page / BLOCK_PAGES);
      const lastBlock = Math.floor(last / BLOCK_PAGES);
      const origin = space * 2 ** (PAGE_BITS - BLOCK_SHIFT);
      const clear = (entry: number, block: number): void => {
        if ((ints[entry]! | ints[entry + 1]!) === 0) return;
        const words = ints[entry + 2]! >>> 2;
        const from = block === firstBlock ? page % BLOCK_PAGES : 0;
        const to = block === lastBlock ? (last % BLOCK_PAGES) + 1 : BLOCK_PAGES;
        ints.fill(0, words + from, words + to);
      };
      if (lastBlock - firstBlock <= blocks) {
        for (let block = firstBlock; block <= lastBlock; block++) {
          const number = origin + block;
          clear(entryOf(number | 0, (number / 2 ** 32) | 0), block);
        }
        return;
      }
      // fewer are remembered than are named
      const table = state(STATE.memoTable) >>> 2;
      const length = (state(STATE.memoMask) + MEMO_ENTRY) >>> 2;
      for (let entry = table; entry < table + length; entry += MEMO_ENTRY >>> 2) {
        const block = (ints[entry + 1]! >>> 0) * 2 ** 32 + (ints[entry]! >>> 0) - origin;
        if (block >= firstBlock && block <= lastBlock) clear(entry, block);
      }
    },

    counts: () => ({
      misses: Number(wide(STATE.misses)),
      invalidated: Number(wide(STATE.invalidated)),
      outputs: wide(STATE.sum),
    }),

    state: () => new Uint8Array(memory.buffer.slice(TAGS_AT, end)),

    setState(held) {
      if (held.length !== end - TAGS_AT || outputsAt > end) throw new RangeError(`${held.length} bytes of state`);
      new Uint8Array(memory.buffer).set(held, TAGS_AT);
    },
  };
}
