import type { DomainId, Nanoseconds } from '../../../traces/units.ts';
import type { LiveMaps } from './live-maps.ts';
import { EVIDENCE } from './owner-rows.ts';

/** An unmap and the live maps, any of which it may have closed. */
export interface Contest {
  readonly row: number;
  readonly time: Nanoseconds;
  readonly actor: number;
  /** Rows of live maps, as slots, any of which the unmap may have closed. */
  chains: (readonly number[])[];
  /** Every slot that was ever in `chains`. */
  readonly slots: readonly number[];
  /** What the unmap just before on the same task and CPU closed. */
  readonly before: Neighbour | undefined;
  flush: DomainId;
  open: boolean;
}

/** A closing on the same task and CPU. */
export interface Neighbour {
  readonly domain: DomainId;
  readonly unmapped: Nanoseconds;
  readonly mapped: Nanoseconds;
}

/** A driver unmaps a buffer about so long after its use. */
const RECENT: Nanoseconds = 50_000_000;

/**
 * A driver unmaps what its device has used, soon after; it does so in runs; and an unmap that no `dma:*` event claims is of
 * a driver that does not announce its maps either.
 */
export function likelihood(live: LiveMaps, contest: Contest, chain: readonly number[]): number {
  let lastAccess = -1;
  let announced = false;
  let domain = -1;
  for (const slot of chain) {
    lastAccess = Math.max(lastAccess, live.lastAccess[slot]!);
    announced ||= live.evidence[slot] === EVIDENCE.dmaApi;
    if (domain < 0) domain = live.domain[slot]!;
  }
  let score = 0;
  if (contest.flush >= 0 && domain >= 0) score += domain === contest.flush ? 100 : -100;
  if (announced) score -= 20;
  // Used since: alive, unless that came from a cache. Used long ago and still mapped: made to stay.
  if (lastAccess > contest.time) score -= 10;
  else if (lastAccess >= 0) score += 10 / (1 + (contest.time - lastAccess) / RECENT);
  // What is short-lived is unmapped, by whoever mapped it; what is old was made to stay.
  const first = chain[0]!;
  score += 0.9 / (1 + (contest.time - live.time[first]!) / RECENT);
  if (live.actor[first] === contest.actor) score += 0.5;
  const { before } = contest;
  if (before !== undefined) {
    if (domain >= 0 && before.domain >= 0) score += domain === before.domain ? 4 : -4;
    // What a driver unmaps in a row it has mapped in a row.
    score += 2 / (1 + Math.abs(live.time[first]! - before.mapped) / 1e8);
  }
  return score;
}
