import { IorrError } from '../../traces/errors.ts';
import { STREAM_ID } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';

/** How a trace's clock was brought to the first one's. */
export interface ClockAlignment {
  readonly by: 'marks' | 'clock' | 'offset';
  /** Added to its times. */
  readonly offsetNs: Nanoseconds;
  /** Marks that both have; 0 where they were not asked. */
  readonly pairs: number;
  /** Of the marks: its time in the first trace's clock minus the first one's. Null where nothing tells. */
  readonly residualNs: {
    readonly min: number;
    readonly median: number;
    readonly p99: number;
    readonly max: number;
  } | null;
}

/** Times of marks by text and how often the text came before. */
function markTimes(trace: Trace): Map<string, Nanoseconds> {
  const times = new Map<string, Nanoseconds>();
  const seen = new Map<number, number>();
  for (const { count, stream, time, rows } of trace.segments({ columns: { mark: ['text'] }, reuse: true })) {
    let row = 0;
    for (let i = 0; i < count && row < rows.mark.count; i++) {
      if (stream[i] !== STREAM_ID.mark) continue;
      const ref = rows.mark.columns.text[row++]!;
      const before = seen.get(ref) ?? 0;
      seen.set(ref, before + 1);
      times.set(`${before} ${trace.strings[ref] ?? ''}`, time[i]!);
    }
  }
  return times;
}

/** By marks that both traces have: their median difference, so that one that was late moves nothing. Undefined without any. */
export function alignByMarks(first: Trace, other: Trace): ClockAlignment | undefined {
  const theirs = markTimes(other);
  const differences: number[] = [];
  for (const [mark, time] of markTimes(first)) {
    const at = theirs.get(mark);
    if (at !== undefined) differences.push(time - at);
  }
  if (differences.length === 0) return undefined;
  differences.sort((a, b) => a - b);
  const offsetNs = Math.round(differences[differences.length >> 1]!);
  const residuals = differences.map((difference) => offsetNs - difference).sort((a, b) => a - b);
  const quantile = (q: number): number => residuals[Math.min(residuals.length - 1, Math.floor(q * residuals.length))]!;
  const residualNs = { min: quantile(0), median: quantile(0.5), p99: quantile(0.99), max: quantile(1) };
  return { by: 'marks', offsetNs, pairs: differences.length, residualNs };
}

/** By what their headers say, where both name the same clock of one machine. Undefined where they don't. */
export function alignByHeader(first: Trace, other: Trace): ClockAlignment | undefined {
  const [a, b] = [first.header.clock, other.header.clock];
  if (a.name === 'unknown' || a.name !== b.name) return undefined;
  const offset = BigInt(b.epochNs) - BigInt(a.epochNs);
  const offsetNs = Number(offset);
  if (!Number.isSafeInteger(offsetNs)) {
    throw new IorrError('LIMIT', `the clocks of the traces lie ${offset} ns apart, more than a trace can span`, {
      hint: 'give the offset yourself: --offset 1.5s',
    });
  }
  return { by: 'clock', offsetNs, pairs: 0, residualNs: null };
}
