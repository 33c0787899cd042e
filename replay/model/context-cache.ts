import type { CacheCounts } from '../results.ts';
import { SEEN } from './miss-history.ts';

/** State of an entry: `SEEN` values, and this. */
const CACHED = 255;

/**
 * One cache of configuration: which entries (of devices, or of a device's PASIDs) it holds; what the entries say is what
 * `attach` said. VT-d context and PASID caches, Arm's STEs and CDs, AMD's device table entries. Entries are numbered by the
 * machine.
 */
export class ContextCache {
  #state = new Uint8Array(64);
  #used = new Float64Array(64);
  readonly #capacity: number;
  #count = 0;
  #now = 0;
  #misses = 0;
  #compulsory = 0;
  #capacityMisses = 0;
  #invalidation = 0;
  readonly #byKind = new Float64Array(254);
  readonly #evicted: (entry: number) => void;

  /** `capacity`: entries, the least recently used of which is replaced; 0: it holds all. `evicted` is told of those that go. */
  constructor(capacity: number, evicted: (entry: number) => void) {
    this.#capacity = capacity;
    this.#evicted = evicted;
  }

  /** A lookup: a miss is counted with its cause, and cached. Returns whether it hit. */
  use(entry: number): boolean {
    if (entry >= this.#state.length) this.#grow(entry);
    this.#used[entry] = ++this.#now;
    const seen = this.#state[entry]!;
    if (seen === CACHED) return true;
    this.#misses++;
    if (seen === SEEN.never) this.#compulsory++;
    else if (seen === SEEN.evicted) this.#capacityMisses++;
    else {
      this.#invalidation++;
      this.#byKind[seen - SEEN.invalidated]!++;
    }
    if (this.#capacity > 0 && this.#count >= this.#capacity) this.#evict();
    this.#state[entry] = CACHED;
    this.#count++;
    return false;
  }

  /** Drops one entry by a command of `kind` (0: a reset); returns how many went. */
  drop(entry: number, kind: number): number {
    if (this.#state[entry] !== CACHED) return 0;
    this.#state[entry] = SEEN.invalidated + kind;
    this.#count--;
    this.#evicted(entry);
    return 1;
  }

  /** Drops the entries that match. */
  dropWhere(kind: number, matches: (entry: number) => boolean): number {
    let dropped = 0;
    if (this.#count === 0) return 0;
    for (let entry = 0; entry < this.#state.length; entry++) {
      if (this.#state[entry] === CACHED && matches(entry)) dropped += this.drop(entry, kind);
    }
    return dropped;
  }

  /** `lookups`: all there were; of a cache that holds everything, hits need not be told by `use`. */
  report(lookups: number, names: (kind: number) => string): CacheCounts {
    const invalidatedBy: { [kind: string]: number } = {};
    this.#byKind.forEach((count, kind) => {
      if (count > 0) invalidatedBy[kind === 0 ? 'reset' : names(kind)] = count;
    });
    return {
      lookups,
      hits: lookups - this.#misses,
      misses: this.#misses,
      causes: {
        compulsory: this.#compulsory,
        capacity: this.#capacityMisses,
        conflict: 0,
        invalidation: this.#invalidation,
      },
      invalidatedBy,
    };
  }

  #evict(): void {
    let oldest = -1;
    for (let entry = 0; entry < this.#state.length; entry++) {
      if (this.#state[entry] === CACHED && (oldest < 0 || this.#used[entry]! < this.#used[oldest]!)) oldest = entry;
    }
    this.#state[oldest] = SEEN.evicted;
    this.#count--;
    this.#evicted(oldest);
  }

  #grow(entry: number): void {
    let length = this.#state.length * 2;
    while (length <= entry) length *= 2;
    const state = new Uint8Array(length);
    state.set(this.#state);
    this.#state = state;
    const used = new Float64Array(length);
    used.set(this.#used);
    this.#used = used;
  }
}
