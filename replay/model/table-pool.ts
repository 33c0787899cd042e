import { IorrError } from '../../traces/errors.ts';

/** int32 words of one table: 512 entries of two words. */
export const TABLE_WORDS = 1024;
const FIRST_TABLES = 64;

/**
 * The memory that page tables live in: tables of 4 KiB in one typed array, with a free list. `words` is replaced when the
 * pool grows: read it anew after `allocate`.
 */
export class TablePool {
  words: Int32Array = new Int32Array(FIRST_TABLES * TABLE_WORDS);
  /** Entries in use, by table. */
  used: Int32Array = new Int32Array(FIRST_TABLES);
  readonly #free: number[] = [];
  readonly #limit: number;
  #next = 1;

  /** `limit`: tables at most; 65,536 tables are 256 MiB. Table 0 is never handed out. */
  constructor(limit = 65536) {
    this.#limit = limit;
  }

  /** A table of empty entries. Throws `LIMIT` when the pool is full. */
  allocate(): number {
    const reused = this.#free.pop();
    if (reused !== undefined) {
      this.words.fill(0, reused * TABLE_WORDS, (reused + 1) * TABLE_WORDS);
      this.used[reused] = 0;
      return reused;
    }
    if (this.#next >= this.used.length) this.#grow();
    return this.#next++;
  }

  free(table: number): void {
    this.#free.push(table);
  }

  get tables(): number {
    return this.#next - 1 - this.#free.length;
  }

  #grow(): void {
    const count = Math.min(this.used.length * 2, this.#limit);
    if (count <= this.#next) {
      throw new IorrError('LIMIT', `the trace's mappings need more than ${this.#limit} page tables`, {
        hint: 'cut the trace to a shorter time, or filter it to fewer domains',
      });
    }
    const words = new Int32Array(count * TABLE_WORDS);
    words.set(this.words);
    const used = new Int32Array(count);
    used.set(this.used);
    this.words = words;
    this.used = used;
  }
}
