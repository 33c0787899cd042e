import type { DomainId } from '../../traces/units.ts';
import type { MapIntent, UnmapIntent } from './design.ts';

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
  /** Flushes everything of the domain. */
  all(domain: DomainId): void;
}
