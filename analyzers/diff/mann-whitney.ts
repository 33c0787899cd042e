import { normalTail } from './tails.ts';

/** Whether one sample tends to be larger than another. */
export interface RankTest {
  /** Two-sided, by the normal approximation with ties (Mann and Whitney 1947; Lehmann, "Nonparametrics", 1.3). */
  readonly p: number;
  /** Cliff's delta: how much likelier a value of B is the larger than the smaller; -1 to 1. */
  readonly delta: number;
}

/** Ranks of both together. Null where either is empty. */
export function mannWhitney(a: readonly number[], b: readonly number[]): RankTest | null {
  const [n, m] = [a.length, b.length];
  if (n === 0 || m === 0) return null;
  const all = [...a.map((value) => ({ value, ofB: 0 })), ...b.map((value) => ({ value, ofB: 1 }))];
  all.sort((x, y) => x.value - y.value);
  let ranksOfB = 0;
  let ties = 0;
  for (let i = 0; i < all.length; ) {
    let end = i;
    let ofB = 0;
    while (end < all.length && all[end]?.value === all[i]?.value) ofB += all[end++]?.ofB ?? 0;
    const size = end - i;
    ranksOfB += (ofB * (i + 1 + end)) / 2;
    ties += size ** 3 - size;
    i = end;
  }
  const u = ranksOfB - (m * (m + 1)) / 2;
  const delta = (2 * u) / (n * m) - 1;
  const total = n + m;
  const variance = total < 2 ? 0 : ((n * m) / 12) * (total + 1 - ties / (total * (total - 1)));
  if (variance <= 0) return { p: 1, delta };
  const z = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5) / Math.sqrt(variance);
  return { p: Math.min(1, 2 * normalTail(z)), delta };
}
