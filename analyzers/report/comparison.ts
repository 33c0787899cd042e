import type { CompareResult, DesignResult } from '../../replay/results.ts';
import { printable } from './escape.ts';
import type { Metric } from './metrics.ts';

/** One line of the comparison: what was recorded, or one design on one path. */
export interface ComparedRow {
  /** Unique, printable, not escaped for any output. */
  readonly label: string;
  readonly recorded: boolean;
  /** Place among the designs, from 0; 0 for what was recorded. */
  readonly number: number;
  readonly design: DesignResult;
}

/**
 * The rows in the order in which they are shown: what the trace itself shows first, then the designs as asked for. A path is
 * part of the label only where it tells rows apart.
 */
export function comparedRows(result: CompareResult): readonly ComparedRow[] {
  const withPath = new Set(result.designs.map((design) => design.path)).size > 1;
  const taken = new Map<string, number>();
  const rows: ComparedRow[] = [];
  const add = (wanted: string, recorded: boolean, design: DesignResult): void => {
    const seen = (taken.get(wanted) ?? 0) + 1;
    taken.set(wanted, seen);
    const number = rows.filter((row) => !row.recorded).length;
    rows.push({ label: seen === 1 ? wanted : `${wanted} (${seen})`, recorded, number, design });
  };
  if (result.recorded !== null) add('recorded', true, result.recorded);
  for (const design of result.designs) {
    const name = printable(design.name, 60);
    add(withPath ? `${name} · ${printable(design.path, 40)}` : name, false, design);
  }
  return rows;
}

/** The row that changes are given against: the first design, so that `--designs` decides; null without designs. */
export function baseRow(rows: readonly ComparedRow[]): ComparedRow | null {
  return rows.find((row) => !row.recorded) ?? null;
}

/** What a recording can't show of itself: 0 there means that nothing was seen. */
const UNSEEN_WHEN_RECORDED: ReadonlySet<string> = new Set([
  'syncs',
  'doorbells',
  'exits',
  'ioctls',
  'cpuNs',
  'stallNs',
]);

/** The value of a metric in a row; `null` where it is unknown, also for what the recording could not see. */
export function valueOf(metric: Metric, row: ComparedRow): number | null {
  const value = metric.value(row.design);
  return row.recorded && value === 0 && row.design.commands > 0 && UNSEEN_WHEN_RECORDED.has(metric.key) ? null : value;
}
