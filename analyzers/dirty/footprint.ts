import type { Nanoseconds } from '../../traces/units.ts';

/** Different pages in a window of time. */
export interface WorkingSetPoint {
  readonly windowNs: Nanoseconds;
  /** Average over all windows of this length that lie in the trace. */
  readonly pages: number;
}

/** What is nearly the whole says what the whole does. */
const NEARLY = 0.95;

/** Window lengths in steps of 1, 2, 5, from a hundred-thousandth of the whole (at least 1 us) up to the whole. */
export function windowLengths(wholeNs: Nanoseconds): readonly Nanoseconds[] {
  const lengths: number[] = [];
  const least = Math.max(1000, wholeNs / 1e5);
  for (let decade = 10 ** Math.floor(Math.log10(least)); decade < wholeNs; decade *= 10) {
    for (const step of [1, 2, 5]) {
      const length = decade * step;
      if (length >= least && length < wholeNs * NEARLY) lengths.push(length);
    }
  }
  lengths.push(wholeNs);
  return lengths;
}

/**
 * The average number of different pages in a window, exactly and for all its positions, in one pass: a page is absent from those
 * windows that fall between two of its writes, before its first or behind its last (Xiang, Ding, Luo, Bao: "HOTL", the average
 * footprint; here in continuous time).
 */
export class Footprint {
  readonly #lengths: readonly Nanoseconds[];
  /** Gaps longer than so many of the lengths: how many, and their sum. */
  readonly #gaps: Float64Array;
  readonly #sums: Float64Array;

  /** `lengths`: ascending; the last is the whole. */
  constructor(lengths: readonly Nanoseconds[]) {
    this.#lengths = lengths;
    this.#gaps = new Float64Array(lengths.length + 1);
    this.#sums = new Float64Array(lengths.length + 1);
  }

  /** A page was not written for so long. */
  gap(ns: Nanoseconds): void {
    const lengths = this.#lengths;
    let shorter = 0;
    while (shorter < lengths.length && lengths[shorter]! < ns) shorter++;
    this.#gaps[shorter]!++;
    this.#sums[shorter]! += ns;
  }

  /** `pages`: all that were written at least once, each with its gaps at both ends told. */
  points(pages: number): readonly WorkingSetPoint[] {
    const lengths = this.#lengths;
    const whole = lengths.at(-1) ?? 0;
    let gaps = 0;
    let sum = 0;
    const points: WorkingSetPoint[] = [];
    for (let i = lengths.length - 1; i >= 0; i--) {
      gaps += this.#gaps[i + 1]!;
      sum += this.#sums[i + 1]!;
      const windowNs = lengths[i]!;
      const absent = windowNs < whole ? (sum - gaps * windowNs) / (whole - windowNs) : 0;
      points.push({ windowNs, pages: Math.max(0, pages - absent) });
    }
    return points.reverse();
  }
}
