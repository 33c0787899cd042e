import { IorrError } from '../../traces/errors.ts';

/** int32 words of a frame: 512 entries of two words. */
export const FRAME_WORDS = 1024;
export const FRAME_SHIFT = 10;
const FIRST_FRAMES = 64;
/** Tables lie below 2 GiB, so that the low word of an entry holds the whole pointer in every format. */
const MOST_PAGES = 0x80000;

export interface TablePoolOptions {
  /** Frames at most; 65,536 frames are 256 MiB: 127 GiB of 4 KiB leaves, or 63 TiB of 2 MiB leaves. */
  readonly limit?: number;
  /** Memory to use instead of own, of a fixed size: a SharedArrayBuffer lets other threads read the tables. */
  readonly buffer?: ArrayBufferLike;
  /** Physical page of the first frame, as entries hold it: a multiple of 256 (the largest root), below 2^19. */
  readonly basePage?: number;
}

/**
 * The memory that page tables live in: frames of 4 KiB in one typed array. A table takes a power of two of frames, aligned
 * to its size. `words` is replaced when the pool grows: read it anew after `allocate`.
 */
export class TablePool {
  words: Int32Array;
  /** Entries in use, by the first frame of a table. */
  used: Int32Array;
  readonly basePage: number;
  readonly #shared: boolean;
  readonly #limit: number;
  /** Free tables by log2 of their frames. */
  readonly #free: number[][] = Array.from({ length: 16 }, () => []);
  #next = 1;
  #live = 0;

  /** Frame 0 is never handed out. */
  constructor(options: TablePoolOptions = {}) {
    const { buffer, basePage = 0 } = options;
    this.basePage = basePage;
    const most = MOST_PAGES - basePage;
    this.#shared = buffer !== undefined;
    const frames = buffer === undefined ? FIRST_FRAMES : Math.floor(buffer.byteLength / (FRAME_WORDS * 4));
    this.#limit = buffer === undefined ? Math.min(options.limit ?? 65536, most) : Math.min(frames, most);
    this.words = buffer === undefined ? new Int32Array(frames * FRAME_WORDS) : new Int32Array(buffer);
    this.used = new Int32Array(frames);
  }

  /** The first frame of a table of empty entries; `frames` is a power of two. Throws `LIMIT` when the pool is full. */
  allocate(frames = 1): number {
    const order = 31 - Math.clz32(frames);
    let table = this.#free[order]!.pop();
    if (table === undefined) {
      table = (this.#next + frames - 1) & -frames;
      if (table + frames > this.used.length) this.#grow(table + frames);
      for (let frame = this.#next; frame < table; frame++) this.#free[0]!.push(frame);
      this.#next = table + frames;
      if (this.#shared) this.words.fill(0, table * FRAME_WORDS, (table + frames) * FRAME_WORDS);
    } else {
      this.words.fill(0, table * FRAME_WORDS, (table + frames) * FRAME_WORDS);
      this.used[table] = 0;
    }
    this.#live += frames;
    return table;
  }

  free(table: number, frames = 1): void {
    this.#free[31 - Math.clz32(frames)]!.push(table);
    this.#live -= frames;
  }

  /** Frames in use. */
  get frames(): number {
    return this.#live;
  }

  #grow(needed: number): void {
    if (needed > this.#limit) {
      throw new IorrError('LIMIT', `the trace's mappings need more than ${this.#limit} page tables of 4 KiB`, {
        hint: 'cut the trace to a shorter time, or filter it to fewer domains',
      });
    }
    const count = Math.min(Math.max(this.used.length * 2, needed), this.#limit);
    const words = new Int32Array(count * FRAME_WORDS);
    words.set(this.words);
    const used = new Int32Array(count);
    used.set(this.used);
    this.words = words;
    this.used = used;
  }
}
