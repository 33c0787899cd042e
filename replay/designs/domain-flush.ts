import type { DomainId, PageNumber } from '../../traces/units.ts';
import type { MapIntent, UnmapIntent } from './design.ts';

/** Pages to drop, as a design that keeps its own lists gives them. */
export interface FlushRange {
  readonly first: PageNumber;
  readonly last: PageNumber;
  /** 1 if a lower table went with them, so that walk caches must go too. */
  readonly freedTable: number;
  /**
   * log2 of the 4 KiB pages of its leaves; -1 where they differ or are not known. Commands that name leaves one by one step by
   * it, those that name the level of a leaf do so.
   */
  readonly order: number;
}

/**
 * How a driver speaks to one family of IOMMUs: which commands a domain's caches get, how they are batched, and where it waits.
 * When to flush is the design's choice. One file for each dialect, listed in `flushes.ts`.
 */
export interface DomainFlush {
  /** Pages were mapped: what that makes wrong in caches goes now, or at `syncMap`. */
  map(intent: MapIntent): void;
  /** A submitter's new mappings must be usable. */
  syncMap(cpu: number): void;
  /** Pages were unmapped, to be flushed at the submitter's `sync`. */
  unmap(intent: UnmapIntent): void;
  /** Pages were unmapped, and the flush is put off to `all`. */
  defer(intent: UnmapIntent): void;
  /** Flushes what the submitter unmapped in the domain. */
  sync(domain: DomainId, cpu: number, task: number): void;
  /** Flushes ranges in one go and waits once: those of unmaps that were handed to `defer`. */
  ranges(domain: DomainId, ranges: readonly FlushRange[]): void;
  /** Flushes everything of the domain. */
  all(domain: DomainId): void;
}
