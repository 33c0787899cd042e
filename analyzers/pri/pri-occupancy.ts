import type { RequestGroup } from '../../replay/faults/spans/page-request.ts';
import { closedAt } from '../../replay/faults/spans/page-request.ts';
import type { Nanoseconds } from '../../traces/units.ts';

/** Parts of the time that are told apart. */
const BINS = 120;

export interface Occupancy {
  readonly max: number;
  /** When there were as many for the first time. */
  readonly maxAtNs: Nanoseconds;
  /** Over the time from the first request to the last answer. */
  readonly mean: number;
  readonly bins: readonly { readonly max: number; readonly mean: number }[];
}

/** What was on its way at once; null where the trace can't show it. */
export interface OccupancyReport {
  readonly startNs: Nanoseconds;
  readonly binNs: Nanoseconds;
  /** Asked and not answered. */
  readonly requests: Occupancy | null;
  readonly groups: Occupancy | null;
  /** Complete, and not yet read by user space; read, and no response written yet. */
  readonly waiting: Occupancy | null;
  readonly inUser: Occupancy | null;
}

interface Change {
  readonly at: Nanoseconds;
  readonly by: number;
}

/** `endNs`: until when groups without an answer are on their way. */
export function occupancyOf(groups: readonly RequestGroup[], endNs: Nanoseconds): OccupancyReport | null {
  const requests: Change[] = [];
  const whole: Change[] = [];
  const waiting: Change[] = [];
  const inUser: Change[] = [];
  for (const group of groups) {
    const { delivery, answer, unanswered } = group;
    const read = delivery?.at;
    const written = delivery?.response?.at;
    // What has no time of its own counts for as long as it was there at least.
    if (read !== undefined && written !== undefined) change(inUser, read.to, written.from, 1);
    // When it was answered is not in the trace.
    if (unanswered === 'index-used-again') continue;
    const end = answer === undefined ? endNs : Math.max(answer.completed, answer.submitted);
    const [first] = group.requests;
    if (first === undefined) continue;
    for (const { time } of group.requests) change(requests, time, end, 1);
    change(whole, first.time, end, 1);
    if (read !== undefined) change(waiting, closedAt(group), read.from, 1);
  }
  const all = [...whole, ...inUser];
  if (all.length === 0) return null;
  const startNs = all.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
  const end = all.reduce((most, { at }) => Math.max(most, at), 0);
  const binNs = Math.max(1, Math.ceil((end - startNs + 1) / BINS));
  const report = (changes: Change[]): Occupancy | null =>
    changes.length === 0 ? null : follow(changes, startNs, binNs, Math.max(1, end - startNs));
  return {
    startNs,
    binNs,
    requests: report(requests),
    groups: report(whole),
    waiting: report(waiting),
    inUser: report(inUser),
  };
}

function change(changes: Change[], from: Nanoseconds, to: Nanoseconds, by: number): void {
  if (to > from) changes.push({ at: from, by }, { at: to, by: -by });
}

function follow(changes: Change[], startNs: Nanoseconds, binNs: Nanoseconds, span: Nanoseconds): Occupancy {
  // What ends at an instant makes room for what begins then.
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  const most = new Float64Array(BINS);
  const area = new Float64Array(BINS);
  let now = 0;
  let since = startNs;
  let max = 0;
  let maxAtNs = startNs;
  let total = 0;
  const hold = (until: Nanoseconds): void => {
    total += now * (until - since);
    for (let at = since; ; ) {
      const bin = Math.min(BINS - 1, Math.floor((at - startNs) / binNs));
      const end = bin === BINS - 1 ? until : Math.min(until, startNs + (bin + 1) * binNs);
      most[bin] = Math.max(most[bin]!, now);
      area[bin]! += now * (end - at);
      if (end >= until) break;
      at = end;
    }
    since = until;
  };
  for (const { at, by } of changes) {
    hold(Math.max(since, at));
    now += by;
    if (now > max) {
      max = now;
      maxAtNs = at;
    }
    const bin = Math.min(BINS - 1, Math.floor((since - startNs) / binNs));
    most[bin] = Math.max(most[bin]!, now);
  }
  const bins = Array.from(most, (value, i) => ({ max: value, mean: area[i]! / binNs }));
  return { max, maxAtNs, mean: total / span, bins };
}
