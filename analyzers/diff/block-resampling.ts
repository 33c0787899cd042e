import type { Random } from '../../traces/random.ts';
import { studentQuantile } from './tails.ts';

/** Amounts of the cells of one trace in one stratum. */
export interface CellAmounts {
  readonly over: Float64Array;
  readonly under: Float64Array;
}

/** One part of a ratio: its weight in the whole, and the cells of one trace. */
export interface WeightedCells extends CellAmounts {
  readonly weight: number;
}

/** A ratio of sums, put together from strata by weights that both traces share. */
export function ratioOf(parts: readonly WeightedCells[]): number {
  return parts.reduce((sum, { over, under, weight }) => sum + weight * (total(over) / total(under)), 0);
}

export function total(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/** Both traces' cells of all strata, in the same order. */
export interface BothSides {
  readonly a: readonly WeightedCells[];
  readonly b: readonly WeightedCells[];
}

export interface RatioVariance {
  readonly a: number;
  readonly b: number;
  /** Of both together (Welch and Satterthwaite). */
  readonly freedom: number;
  /** Cells in a block, by stratum. */
  readonly lengths: readonly number[];
}

/** Cells in a block, tried in turn. */
const LENGTHS = [1, 2, 4, 8, 16, 32, 64, 128];
/** Blocks less one, of all strata together: with fewer of them not even a change without any noise would stand out. */
const FEWEST_BLOCKS = 16;
/** Traces whose ratios differ by less tell of each other how much they vary. */
const ALIKE = 2;

/**
 * Variance of ratios of sums by sums of blocks of neighbouring cells, linearised (Künsch 1989, "The jackknife and the bootstrap for general stationary observations"). Neighbours are alike, so blocks have to be as long
 * as that lasts: of all lengths the one is taken that leaves the widest interval. Strata of both traces are looked at
 * together, once the change of the whole is taken out: where one has few cells, the other tells how much they vary, and a change
 * that is not the same in all strata is uncertain.
 */
export function ratioVariance({ a, b }: BothSides): RatioVariance {
  let best: RatioVariance | undefined;
  const change = ratioOf(b) / ratioOf(a);
  // what differs by so much need not vary alike: each is looked at about its own ratio then
  const factor = change > 1 / ALIKE && change < ALIKE ? change : undefined;
  let widest = -1;
  for (const wanted of LENGTHS) {
    let [ofA, ofB, spread, blocks] = [0, 0, 0, 0];
    const lengths = a.map((left, k) => {
      const right = b[k] ?? left;
      const fewer = Math.min(left.over.length, right.over.length);
      const length = Math.max(1, Math.min(wanted, fewer));
      const [sumA, sumB] = [total(left.under), total(right.under)];
      if (factor === undefined) {
        const own = [left, right].map((side) => {
          const { squares, blocks: n } = blockSquares(side, total(side.over) / total(side.under), length);
          return { variance: n < 2 ? 0 : (side.weight ** 2 * squares * n) / (n - 1) / total(side.under) ** 2, n };
        });
        ofA += own[0]!.variance;
        ofB += own[1]!.variance;
        for (const { variance, n } of own) if (n > 1) spread += variance ** 2 / (n - 1);
        blocks += own.reduce((sum, { n }) => sum + n - 1, 0);
        return length;
      }
      const ratio = (total(left.over) + total(right.over) / factor) / (sumA + sumB);
      const inA = blockSquares(left, ratio, length);
      const inB = blockSquares(right, ratio * factor, length);
      const count = inA.blocks + inB.blocks;
      if (count < 2) return length;
      // of one cell of A; of one of B it is larger by the square of the change
      const variance =
        ((inA.squares + inB.squares / factor ** 2) / (left.over.length + right.over.length)) * (count / (count - 1));
      const ownA = (left.weight ** 2 * variance * left.over.length) / sumA ** 2;
      const ownB = (right.weight ** 2 * variance * right.over.length) / sumB ** 2;
      ofA += ownA;
      ofB += ownB * factor ** 2;
      spread += (ownA + ownB) ** 2 / (count - 1);
      blocks += count - 1;
      return length;
    });
    if (best !== undefined && blocks < FEWEST_BLOCKS) break;
    const whole = ofA + ofB / (factor ?? 1) ** 2;
    const freedom = spread > 0 ? whole ** 2 / spread : Number.POSITIVE_INFINITY;
    const width = studentQuantile(0.975, freedom) * Math.sqrt(whole);
    if (width <= widest) continue;
    widest = width;
    best = { a: ofA, b: ofB, freedom, lengths };
  }
  return best ?? { a: 0, b: 0, freedom: Number.POSITIVE_INFINITY, lengths: [] };
}

/** Squares of what blocks have beyond a ratio. */
function blockSquares(
  { over, under }: CellAmounts,
  ratio: number,
  length: number,
): { readonly squares: number; readonly blocks: number } {
  const n = over.length;
  const blocks = Math.max(1, Math.floor(n / length));
  let squares = 0;
  for (let block = 0; block < blocks; block++) {
    let rest = 0;
    // what does not fill a block belongs to the last
    const end = block === blocks - 1 ? n : (block + 1) * length;
    for (let i = block * length; i < end; i++) rest += over[i]! - ratio * under[i]!;
    squares += rest * rest;
  }
  return { squares, blocks };
}

function prefix(values: Float64Array): Float64Array {
  const sums = new Float64Array(values.length + 1);
  values.forEach((value, i) => {
    sums[i + 1] = sums[i]! + value;
  });
  return sums;
}

/** Ratios of resampled cells: blocks that may begin anywhere, and go on at the start (Politis and Romano 1992). */
export function resampleRatio(
  parts: readonly WeightedCells[],
  lengths: readonly number[],
  times: number,
  random: Random,
): Float64Array {
  const ratios = new Float64Array(times);
  const sums = parts.map(({ over, under }) => ({ over: prefix(over), under: prefix(under) }));
  for (let time = 0; time < times; time++) {
    let ratio = 0;
    for (const [k, { weight, over }] of parts.entries()) {
      const n = over.length;
      const length = lengths[k] ?? 1;
      const { over: overs, under: unders } = sums[k]!;
      let above = 0;
      let below = 0;
      for (let left = n; left > 0; left -= length) {
        const taken = Math.min(length, left);
        const start = random.below(n);
        const end = start + taken;
        if (end <= n) {
          above += overs[end]! - overs[start]!;
          below += unders[end]! - unders[start]!;
        } else {
          above += overs[n]! - overs[start]! + overs[end - n]!;
          below += unders[n]! - unders[start]! + unders[end - n]!;
        }
      }
      // a draw without any of what is divided by says nothing: the part is as it was
      ratio += weight * (below > 0 ? above / below : overs[n]! / unders[n]!);
    }
    ratios[time] = ratio;
  }
  return ratios;
}
