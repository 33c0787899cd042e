import type { CacheCounts } from '../results.ts';
import type { CacheEntries } from './cache-entries.ts';
import { DROP } from './iotlb.ts';
import { FATE, MissHistory, SEEN } from './miss-history.ts';
import type { SetAssociativeIotlb } from './set-associative-iotlb.ts';

/** Values of a history's state: `SEEN` values, those from `invalidated` on by the kind of the command. */
const STATES = 256;

/**
 * Why the lookups of one cache missed. `compulsory`: never cached before; `invalidation`: a command or a reset took it away
 * since, by the command's kind; else it was replaced: for `conflict` where a fully associative cache of the same capacity and
 * replacement, given the same lookups and commands, would have it still, for `capacity` where that one lacks it too.
 */
export class MissCauses {
  /** What had become of the translation that was missed last: a `SEEN` value, or more by a command's kind. */
  newest: number = SEEN.never;
  readonly #history = new MissHistory();
  readonly #shadow: SetAssociativeIotlb | undefined;
  readonly #entries: CacheEntries;
  /** Misses by what had become of the translation; those of conflict apart. */
  readonly #bySeen = new Float64Array(STATES);
  #conflicts = 0;

  /** `shadow`: the fully associative cache; without it nothing is a conflict. */
  constructor(entries: CacheEntries, shadow: SetAssociativeIotlb | undefined) {
    this.#shadow = shadow;
    this.#entries = entries;
  }

  get full(): boolean {
    return this.#history.full;
  }

  /** A lookup missed. Returns the translation's record for `filled`. The page is aligned to its order. */
  missed(tag: number, order: number, pageLo: number, pageHi: number): number {
    const history = this.#history;
    const record = history.record(tag, order, pageLo, pageHi);
    const seen = record < 0 ? SEEN.never : history.records[record * 4 + FATE]!;
    this.newest = seen;
    if (seen === SEEN.evicted && this.#shadow !== undefined && this.#shadow.lookup(tag, pageLo, pageHi) >= 0) {
      this.#conflicts++;
    } else this.#bySeen[seen]!++;
    return record;
  }

  /** What was missed is in a slot now; -1: there is no room for it. */
  filled(slot: number, record: number): void {
    if (record < 0) return;
    if (slot >= 0) this.#entries.setRecord(slot, record);
    this.#history.records[record * 4 + FATE] = SEEN.evicted;
  }

  /** A slot's entry goes; `kind` is that of the command. */
  dropped(slot: number, why: number, kind: number): void {
    const record = this.#entries.recordOf(slot);
    if (record < 0) return;
    let fate: number = SEEN.evicted;
    if (why === DROP.command) fate = SEEN.invalidated + kind;
    else if (why === DROP.reset) fate = SEEN.invalidated;
    this.#history.records[record * 4 + FATE] = fate;
  }

  /** Misses by what had become of the translation; those of conflict are not among them. */
  get bySeen(): Float64Array {
    return this.#bySeen;
  }

  /** Distinct translations that were missed. */
  get translations(): number {
    return this.#history.count;
  }

  /** Adds what others counted, each of other translations; `conflicts` of their misses of evicted ones are of conflict. */
  add(others: readonly Float64Array[], conflicts: number): void {
    for (const other of others) for (let seen = 0; seen < STATES; seen++) this.#bySeen[seen]! += other[seen]!;
    this.#bySeen[SEEN.evicted]! -= conflicts;
    this.#conflicts += conflicts;
  }

  /** `names`: of the kinds. */
  report(lookups: number, hits: number, names: (kind: number) => string): CacheCounts {
    const invalidatedBy: { [kind: string]: number } = {};
    let invalidation = 0;
    this.#bySeen.forEach((count, seen) => {
      if (count === 0 || seen < SEEN.invalidated) return;
      invalidation += count;
      invalidatedBy[seen === SEEN.invalidated ? 'reset' : names(seen - SEEN.invalidated)] = count;
    });
    return {
      lookups,
      hits,
      misses: lookups - hits,
      causes: {
        compulsory: this.#bySeen[SEEN.never]!,
        capacity: this.#bySeen[SEEN.evicted]!,
        conflict: this.#conflicts,
        invalidation,
      },
      invalidatedBy,
    };
  }
}
