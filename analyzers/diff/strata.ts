import type { WorkCells } from './work-cells.ts';

/** Cells of both traces that are compared with each other: a phase that both have, or all that is left. */
export interface Stratum {
  readonly name: string;
  /** Cells in order of time. */
  readonly a: Int32Array;
  readonly b: Int32Array;
}

export interface Strata {
  readonly by: 'marks' | 'work';
  readonly strata: readonly Stratum[];
  /** Phases of one trace alone: not compared. */
  readonly onlyA: readonly string[];
  readonly onlyB: readonly string[];
}

/** Fewer cells don't tell how much they vary: such phases are put together. */
const FEWEST_CELLS = 8;

function cellsByPhase({ phase, phases }: WorkCells): Map<string, number[]> {
  const map = new Map<string, number[]>();
  phase.forEach((number, cell) => {
    const name = phases[number] ?? '';
    const list = map.get(name);
    if (list === undefined) map.set(name, [cell]);
    else list.push(cell);
  });
  return map;
}

/** Aligns two traces by the marks that both have, or, where they share none, as wholes. */
export function alignCells(a: WorkCells, b: WorkCells): Strata {
  const all = (cells: WorkCells): Int32Array => Int32Array.from({ length: cells.count }, (_, i) => i);
  const [inA, inB] = [cellsByPhase(a), cellsByPhase(b)];
  const shared = [...inA.keys()].filter((name) => inB.has(name));
  if (!shared.some((name) => name !== '')) {
    return { by: 'work', strata: [{ name: '', a: all(a), b: all(b) }], onlyA: [], onlyB: [] };
  }
  const strata: Stratum[] = [];
  const rest: { readonly a: number[]; readonly b: number[] } = { a: [], b: [] };
  for (const name of shared) {
    const [ofA, ofB] = [inA.get(name) ?? [], inB.get(name) ?? []];
    if (Math.min(ofA.length, ofB.length) >= FEWEST_CELLS) {
      strata.push({ name, a: Int32Array.from(ofA), b: Int32Array.from(ofB) });
    } else {
      rest.a.push(...ofA);
      rest.b.push(...ofB);
    }
  }
  if (rest.a.length > 0) {
    const sorted = (cells: number[]): Int32Array => Int32Array.from(cells).sort();
    strata.push({ name: 'other phases', a: sorted(rest.a), b: sorted(rest.b) });
  }
  const only = (of: Map<string, number[]>): string[] =>
    [...of.keys()].filter((name) => name !== '' && !shared.includes(name));
  return { by: 'marks', strata, onlyA: only(inA), onlyB: only(inB) };
}
