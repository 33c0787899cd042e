import type { Divergence, VerifyCounts, VerifyKind } from '../results.ts';

/** Divergences that a result lists. */
export const LISTED = 100;

/** What one kind of verification found; `verifyTrace` merges them. */
export interface VerifyPart {
  readonly kind: VerifyKind;
  /** Whole events: an event with two checked outcomes counts once, and diverges if either does. */
  readonly counts: VerifyCounts;
  /** Finer, by outcome: `dma.outcome`, `dma.output`, `inv.flush`, ... */
  readonly parts: { readonly [part: string]: VerifyCounts };
  readonly skipped: { readonly [reason: string]: number };
  /** Those of the earliest events, in order; `LISTED` at most. */
  readonly divergences: readonly Divergence[];
  readonly notes: readonly string[];
  /** Ioctls that have no name, by number. */
  readonly unknownRequests?: { readonly [request: string]: number };
}

/** Mutable counts of one outcome. */
export interface Tally {
  agreed: number;
  diverged: number;
}

/** The divergences of the earliest events, however they come: some are known only long after their event. */
export class DivergenceList {
  readonly #kept: Divergence[] = [];

  add(divergence: Divergence): void {
    this.#kept.push(divergence);
    if (this.#kept.length >= LISTED * 10) this.#trim();
  }

  list(): Divergence[] {
    this.#trim();
    return [...this.#kept];
  }

  #trim(): void {
    this.#kept.sort((a, b) => a.event - b.event);
    if (this.#kept.length > LISTED) this.#kept.length = LISTED;
  }
}

export function countsOf({ agreed, diverged }: Tally): VerifyCounts {
  return { checked: agreed + diverged, agreed, diverged };
}
