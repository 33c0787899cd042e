import type { RequestGroup } from '../../replay/faults/spans/page-request.ts';
import { closedAt } from '../../replay/faults/spans/page-request.ts';
import type { Nanoseconds } from '../../traces/units.ts';

export interface StageQuantiles {
  readonly min: Nanoseconds;
  readonly p50: Nanoseconds;
  readonly p90: Nanoseconds;
  readonly p95: Nanoseconds;
  readonly p99: Nanoseconds;
  readonly p999: Nanoseconds;
  readonly max: Nanoseconds;
  readonly mean: Nanoseconds;
}

/** How long groups took from one point of their way to the next. */
export interface StageReport {
  readonly count: number;
  /** Groups of which both points have a time; of the others only bounds are known. */
  readonly exact: number;
  /** Nearest rank; lower bounds where `atMostNs` is not null. */
  readonly ns: StageQuantiles;
  readonly atMostNs: StageQuantiles | null;
  readonly sumNs: Nanoseconds;
  /** Groups whose second point has the earlier time, by the clocks: counted as 0. */
  readonly early: number;
  /** By lower bound, four parts to an octave; parts without groups are left out. */
  readonly histogram: readonly { readonly fromNs: Nanoseconds; readonly count: number }[];
}

export const STAGES = {
  queued: 'last request to read',
  served: 'read to response written',
  issued: 'written to command',
  completed: 'command to completion',
  answered: 'last request to command',
  whole: 'first request to answer',
} as const;

export type StageName = keyof typeof STAGES;

/** Stages whose sum is the time from the last request to completion. */
export const SUCCESSIVE: readonly StageName[] = ['queued', 'served', 'issued', 'completed'];

export type StageReports = { readonly [S in StageName]: StageReport | null };

export class StageTally {
  readonly #low: number[] = [];
  readonly #high: number[] = [];
  #exact = 0;
  #early = 0;

  add(low: Nanoseconds, high: Nanoseconds, exact: boolean): void {
    if (exact) this.#exact++;
    if (high < 0) this.#early++;
    this.#low.push(Math.max(0, low));
    this.#high.push(Math.max(0, low, high));
  }

  report(): StageReport | null {
    const count = this.#low.length;
    if (count === 0) return null;
    const ns = quantiles(this.#low);
    return {
      count,
      exact: this.#exact,
      ns,
      atMostNs: this.#exact === count ? null : quantiles(this.#high),
      sumNs: ns.mean * count,
      early: this.#early,
      histogram: histogramOf(this.#low),
    };
  }
}

/** The time between points of every group's way, as far as the trace has them. */
export function stagesOf(groups: readonly RequestGroup[]): StageReports {
  const tallies = {
    queued: new StageTally(),
    served: new StageTally(),
    issued: new StageTally(),
    completed: new StageTally(),
    answered: new StageTally(),
    whole: new StageTally(),
  } satisfies Record<StageName, StageTally>;
  for (const group of groups) {
    const { requests, delivery, answer } = group;
    const [first] = requests;
    const last = group.closed ? closedAt(group) : -1;
    const read = delivery?.at;
    const written = delivery?.response?.at;
    if (last >= 0 && read !== undefined) {
      tallies.queued.add(read.from - last, read.to - last, read.from === read.to);
    }
    if (read !== undefined && written !== undefined) {
      const exact = read.from === read.to && written.from === written.to;
      tallies.served.add(written.from - read.to, written.to - read.from, exact);
    }
    if (written !== undefined && answer !== undefined) {
      const { submitted } = answer;
      tallies.issued.add(submitted - written.to, submitted - written.from, written.from === written.to);
    }
    if (answer === undefined) continue;
    const { submitted, completed } = answer;
    if (completed >= 0) tallies.completed.add(completed - submitted, completed - submitted, true);
    if (last >= 0) tallies.answered.add(submitted - last, submitted - last, true);
    if (first === undefined) continue;
    const whole = Math.max(completed, submitted) - first.time;
    tallies.whole.add(whole, whole, true);
  }
  return {
    queued: tallies.queued.report(),
    served: tallies.served.report(),
    issued: tallies.issued.report(),
    completed: tallies.completed.report(),
    answered: tallies.answered.report(),
    whole: tallies.whole.report(),
  };
}

function quantiles(values: readonly number[]): StageQuantiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return {
    min: sorted[0] ?? 0,
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    p999: at(0.999),
    max: sorted.at(-1) ?? 0,
    mean: sorted.reduce((sum, ns) => sum + ns, 0) / sorted.length,
  };
}

function histogramOf(values: readonly number[]): StageReport['histogram'] {
  const counts = new Map<number, number>();
  for (const ns of values) {
    const part = ns < 1 ? -1 : Math.floor(Math.log2(ns) * 4);
    counts.set(part, (counts.get(part) ?? 0) + 1);
  }
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([part, count]) => ({ fromNs: part < 0 ? 0 : Math.round(2 ** (part / 4)), count }));
}
