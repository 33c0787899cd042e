import type { CompareResult, DesignResult, RecordedResult } from '../../replay/results.ts';
import { printable } from './escape.ts';
import type { Metric } from './metrics.ts';

interface RowPlace {
  /** Unique, printable, not escaped for any output. */
  readonly label: string;
  /** Place among the designs, from 0; 0 for what was recorded. */
  readonly number: number;
}

/** One design on one path. */
export interface DesignRow extends RowPlace {
  readonly recorded: false;
  readonly design: DesignResult;
}

/** What the trace itself shows. */
export interface RecordedRow extends RowPlace {
  readonly recorded: true;
  readonly design: RecordedResult;
}

/** One line of the comparison. */
export type ComparedRow = DesignRow | RecordedRow;

export function isDesign(row: ComparedRow): row is DesignRow {
  return !row.recorded;
}

/**
 * The rows in the order in which they are shown: what the trace itself shows first, then the designs as asked for. A path is
 * part of the label only where it tells rows apart.
 */
export function comparedRows(result: CompareResult): readonly ComparedRow[] {
  const withPath = new Set(result.designs.map((design) => design.path)).size > 1;
  const taken = new Map<string, number>();
  const rows: ComparedRow[] = [];
  const place = (wanted: string): RowPlace => {
    const seen = (taken.get(wanted) ?? 0) + 1;
    taken.set(wanted, seen);
    return { label: seen === 1 ? wanted : `${wanted} (${seen})`, number: rows.filter(isDesign).length };
  };
  if (result.recorded !== null) rows.push({ ...place('recorded'), recorded: true, design: result.recorded });
  for (const design of result.designs) {
    const name = printable(design.name, 60);
    const label = withPath ? `${name} · ${printable(design.path, 40)}` : name;
    rows.push({ ...place(label), recorded: false, design });
  }
  return rows;
}

/** The row that changes are given against: the first design, so that `--designs` decides; null without designs. */
export function baseRow(rows: readonly ComparedRow[]): DesignRow | null {
  return rows.find(isDesign) ?? null;
}

/** The value of a metric in a row; `null` where it is unknown. */
export function valueOf(metric: Metric, row: ComparedRow): number | null {
  return metric.value(row.design);
}
