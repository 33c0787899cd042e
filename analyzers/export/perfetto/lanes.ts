import type { Nanoseconds } from '../../../traces/units.ts';

/** Lanes of one track; what overlaps still more is told as an instant. */
const MOST_LANES = 64;

/**
 * Gives spans that may overlap lanes in which none does: Perfetto takes the end of a slice for that of the innermost open one on its
 * track. Spans come in the order in which they end.
 */
export class Lanes {
  readonly #ends: Nanoseconds[] = [];

  /** A lane that is free from `begin` on, -1 where all are taken. */
  take(begin: Nanoseconds, end: Nanoseconds): number {
    let lane = this.#ends.findIndex((before) => before <= begin);
    if (lane === -1) {
      if (this.#ends.length >= MOST_LANES) return -1;
      lane = this.#ends.length;
    }
    this.#ends[lane] = end;
    return lane;
  }
}
