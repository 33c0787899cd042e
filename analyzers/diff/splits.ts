import { Random } from '../../traces/random.ts';
import { diffGate } from './diff-gate.ts';
import type { DiffCondition } from './diff-gate.ts';
import { compareSides } from './diff-traces.ts';
import type { DiffSide } from './diff-traces.ts';
import type { ResamplingOptions } from './measure-change.ts';
import type { WorkUnit } from './trace-work.ts';
import type { WorkCells } from './work-cells.ts';

/** How often a gate fails although both sides are the same trace. */
export interface SplitsResult {
  readonly splits: number;
  /** Windows that each split deals out to its halves. */
  readonly windows: number;
  /** Splits that failed the gate. */
  readonly alarms: number;
  readonly share: number;
  /** By metric: splits that it failed the gate in. */
  readonly byMetric: { readonly [name: string]: number };
}

/** Cells of a half, in order; phases keep their names. */
function part(cells: WorkCells, kept: readonly boolean[]): WorkCells {
  const list = kept.flatMap((keep, cell) => (keep ? [cell] : []));
  const place = new Int32Array(cells.count).fill(-1);
  list.forEach((cell, i) => {
    place[cell] = i;
  });
  const pick = (values: Float64Array): Float64Array => Float64Array.from(list, (cell) => values[cell] ?? 0);
  return {
    count: list.length,
    phase: Int32Array.from(list, (cell) => cells.phase[cell] ?? 0),
    phases: cells.phases,
    quantities: new Map([...cells.quantities].map(([name, values]) => [name, pick(values)])),
    samples: new Map(
      [...cells.samples].map(([name, samples], i) => {
        const ofHalf = Array.from(samples.cells, (cell) => kept[cell] === true);
        const values = samples.values.filter((_, k) => ofHalf[k]);
        // no two halves are the same samples
        const hash = samples.hash ^ list.length ^ (list[0] ?? 0) ^ i;
        return [
          name,
          {
            values,
            cells: samples.cells.filter((_, k) => ofHalf[k]).map((cell) => place[cell] ?? 0),
            count: values.length,
            hash,
          },
        ];
      }),
    ),
  };
}

/** Deals windows of equal numbers of cells out to two halves at random. */
function deal(cells: number, windows: number, random: Random): readonly boolean[] {
  const order = Array.from({ length: windows }, (_, i) => i);
  for (let i = windows - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  const first = new Set(order.slice(0, windows >> 1));
  return Array.from({ length: cells }, (_, cell) =>
    first.has(Math.min(windows - 1, Math.floor((cell * windows) / cells))),
  );
}

function half(side: DiffSide, windows: number, seed: number, first: boolean): DiffSide {
  const split = (cells: WorkCells): WorkCells =>
    part(
      cells,
      deal(cells.count, Math.min(windows, cells.count), new Random(seed)).map((ofFirst) => ofFirst === first),
    );
  return {
    // halves never did the same work
    work: { ...side.work, cells: split(side.work.cells), workHash: first ? 1 : 2 },
    replay: side.replay === null ? null : { cells: split(side.replay.cells), result: null },
  };
}

/** Compares random halves of one trace with each other, again and again. */
export function compareHalves(
  side: DiffSide,
  unit: WorkUnit,
  conditions: readonly DiffCondition[],
  settings: { readonly splits: number; readonly windows: number },
  options: ResamplingOptions,
  progress?: (done: number) => void,
): SplitsResult {
  const byMetric = new Map<string, number>();
  // `worse` does not look at times: nothing has to be drawn for them
  const { cells } = side.work;
  const named = conditions.some(({ kind }) => kind === 'change');
  const whole = named
    ? side
    : { ...side, work: { ...side.work, cells: { ...cells, samples: new Map<string, never>() } } };
  let alarms = 0;
  for (let i = 0; i < settings.splits; i++) {
    const seed = options.seed * 1_000_003 + i;
    const halves = [true, false].map((first) => half(whole, settings.windows, seed, first));
    const compared = compareSides(halves[0]!, halves[1]!, unit, { ...options, seed });
    const gate = diffGate(conditions, compared, 'counts');
    if (gate.breached) alarms++;
    progress?.(i + 1);
    for (const name of gate.metrics) byMetric.set(name, (byMetric.get(name) ?? 0) + 1);
  }
  return {
    ...settings,
    alarms,
    share: settings.splits === 0 ? 0 : alarms / settings.splits,
    byMetric: Object.fromEntries([...byMetric].sort((x, y) => y[1] - x[1])),
  };
}
