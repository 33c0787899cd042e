import type { SharedTables } from './table-memory.ts';

/** Shared memory of a ledger, a word for each leaf: writes, and writes that had happened when the leaf was copied last. */
export interface LedgerArrays {
  readonly written: Int32Array;
  readonly copied: Int32Array;
  /** Entries that writes made dirty. */
  readonly sets: Int32Array;
}

/**
 * Tells whether a write was lost, as a migration would find out: each leaf's content is the number of writes to it, and what is
 * reported is copied after its bit was cleared. A write that no later harvest reports leaves a copy behind.
 */
export class WriteLedger {
  readonly #arrays: LedgerArrays;
  readonly #leafPages: number;

  constructor({ pageBytes, leafShift }: SharedTables, arrays: LedgerArrays) {
    this.#arrays = arrays;
    this.#leafPages = 2 ** leafShift / pageBytes;
  }

  written(page: number): void {
    Atomics.add(this.#arrays.written, Math.floor(page / this.#leafPages), 1);
  }

  becameDirty(): void {
    Atomics.add(this.#arrays.sets, 0, 1);
  }

  /** Copies what a harvest of pages [`page`, `end`) reported, and empties the bitmap there: a bit for each leaf from 0 on. */
  collect(bits: Int32Array, page: number, end: number): void {
    const { written, copied } = this.#arrays;
    const last = Math.ceil(end / this.#leafPages / 32);
    for (let word = Math.floor(page / this.#leafPages / 32); word < last; word++) {
      for (let set = bits[word]!; set !== 0; set &= set - 1) {
        const leaf = word * 32 + 31 - Math.clz32(set & -set);
        copied[leaf] = Atomics.load(written, leaf);
      }
      bits[word] = 0;
    }
  }

  /** Writes that no copy has. */
  lost(): number {
    const { written, copied } = this.#arrays;
    let lost = 0;
    for (let leaf = 0; leaf < written.length; leaf++) lost += written[leaf]! - copied[leaf]!;
    return lost;
  }
}

/** Arrays for `leaves` leaves. */
export function ledgerArrays(leaves: number): LedgerArrays {
  const words = (count: number): Int32Array => new Int32Array(new SharedArrayBuffer(count * 4));
  return { written: words(leaves), copied: words(leaves), sets: words(1) };
}
