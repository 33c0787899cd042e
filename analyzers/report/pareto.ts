import type { DesignRow } from './comparison.ts';

/**
 * The rows that no other beats: none is at most as dear and at most as exposed, and better in one of the two. Rows whose exposure is
 * not known are on no front. In the order of their cost; where several agree in both, all are there.
 */
export function paretoFront(rows: readonly DesignRow[]): readonly DesignRow[] {
  const known = rows.filter((row) => row.design.exposure !== null);
  const cost = (row: DesignRow): number => row.design.cpuNs;
  const exposed = (row: DesignRow): number => row.design.exposure?.pageSeconds ?? 0;
  return known
    .filter(
      (row) =>
        !known.some(
          (other) =>
            cost(other) <= cost(row) &&
            exposed(other) <= exposed(row) &&
            (cost(other) < cost(row) || exposed(other) < exposed(row)),
        ),
    )
    .sort((a, b) => cost(a) - cost(b) || a.number - b.number);
}
