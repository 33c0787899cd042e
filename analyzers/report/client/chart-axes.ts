import type uPlot from 'uplot';
import type { ChartSpec } from './chart.ts';
import type { Colours } from './theme.ts';

/** Least room of the y axis: the same in all charts, so that their time axes lie below each other. */
const Y_AXIS = 58;
/** Ticks of the y axis, and room before and behind its labels, in CSS pixels. */
const TICK = 5;
const Y_GAP = 6;
const LABEL_FONT = 'system-ui, sans-serif';
const LABEL_PX = 12;
/** Width of a character of a label, and room between two, in CSS pixels. */
const LABEL_CHARACTER = 7.2;
const LABEL_GAP = 18;
/** Narrowest distance between two labels of the x axis, in CSS pixels. */
const TICK_ROOM = 58;
/** Labels of a log axis. */
const MOST_TICKS = 6;
/** Steps between the ticks of a linear axis of bytes. */
const BINARY_STEPS = Array.from({ length: 51 }, (_, i) => 2 ** i);

/** Round numbers at equal distances: for a log axis that shows less than one of its own steps. */
function evenTicks(min: number, max: number): number[] {
  const least = (max - min) / MOST_TICKS;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5].find((digit) => digit * power >= least) ?? 10);
  const first = Math.ceil(min / step);
  return Array.from({ length: Math.max(0, Math.floor(max / step) - first + 1) }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

/** 1, 10, 100 ... within the range; finer where there are few. */
function decades(min: number, max: number): number[] {
  const first = Math.ceil(Math.log10(min) - 1e-9);
  const last = Math.floor(Math.log10(max) + 1e-9);
  const steps = last - first < 2 ? [1, 2, 5] : [1];
  const out: number[] = [];
  for (let power = first - 1; power <= last; power++) {
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= min * 0.999 && value <= max * 1.001) out.push(value);
    }
  }
  return out;
}

/** Powers of two within the range, few enough for an axis. */
function powersOfTwo(min: number, max: number): number[] {
  const first = Math.ceil(Math.log2(min) - 1e-9);
  const last = Math.floor(Math.log2(max) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first) / MOST_TICKS));
  return Array.from(
    { length: Math.max(0, Math.floor((last - first) / every) + 1) },
    (_, i) => 2 ** (first + i * every),
  );
}

function logTicks(base: 2 | 10, min: number, max: number): number[] {
  if (!(min > 0) || !(max > min)) return [];
  const ticks = base === 2 ? powersOfTwo(min, max) : decades(min, max);
  return ticks.length < 2 ? evenTicks(min, max) : ticks;
}

/** Every n-th of the splits, so that labels have room; the others keep their grid line. */
function spaced(plot: uPlot, splits: readonly number[]): (number | null)[] {
  const [first, second] = splits;
  if (first === undefined || second === undefined) return [...splits];
  const step = Math.abs(plot.valToPos(second, 'x') - plot.valToPos(first, 'x'));
  const every = Math.max(1, Math.ceil(TICK_ROOM / Math.max(1, step)));
  return splits.map((value, i) => (i % every === 0 ? value : null));
}

function inked(spec: ChartSpec, colours: () => Colours, grid: boolean): uPlot.Axis {
  return {
    stroke: () => colours().faint,
    font: `${LABEL_PX}px ${LABEL_FONT}`,
    grid: { stroke: () => colours().grid, width: 1, show: grid || spec.xLog },
    ticks: { stroke: () => colours().grid, width: 1, size: TICK },
  };
}

export function xAxis(spec: ChartSpec, colours: () => Colours): uPlot.Axis {
  return {
    ...inked(spec, colours, false),
    size: 30,
    gap: 4,
    // long labels stand further apart: a short time, late in a trace
    space: (_: uPlot, __: number, ___: number, max: number) =>
      Math.max(64, spec.formatX(max).length * LABEL_CHARACTER + LABEL_GAP),
    values: (_: uPlot, splits: (number | null)[]) =>
      splits.map((value) => (value === null ? null : spec.formatX(value))),
    ...(spec.xLog
      ? {
          splits: (_: uPlot, __: number, min: number, max: number) => logTicks(spec.xBase ?? 10, min, max),
          filter: spaced,
        }
      : {}),
  };
}

/** As wide as its longest label. */
function roomOf(plot: uPlot, labels: readonly string[] | null, least: number): number {
  const { ctx } = plot;
  ctx.save();
  ctx.font = `${LABEL_PX * devicePixelRatio}px ${LABEL_FONT}`;
  const widest = Math.max(0, ...(labels ?? []).map((label) => ctx.measureText(label ?? '').width));
  ctx.restore();
  return Math.max(least, Math.ceil(widest / devicePixelRatio) + TICK + 2 * Y_GAP);
}

export function yAxis(spec: ChartSpec, colours: () => Colours): uPlot.Axis {
  const { ySplits } = spec;
  const ticks: uPlot.Axis = spec.logY
    ? {
        splits: (_: uPlot, __: number, min: number, max: number) => logTicks(spec.yBase ?? 10, min, max),
        filter: (_: uPlot, splits: number[]) => splits,
      }
    : ySplits !== undefined
      ? { splits: () => [...ySplits] }
      : spec.yBase === 2
        ? { incrs: BINARY_STEPS }
        : {};
  return {
    ...inked(spec, colours, true),
    size: (plot: uPlot, labels: string[] | null) => roomOf(plot, labels, spec.yRoom ?? Y_AXIS),
    gap: Y_GAP,
    space: 34,
    values: (_: uPlot, splits: number[]) => splits.map(spec.formatY),
    ...ticks,
  };
}

/** From 0, or from the decade below the least value, to a little above the most. */
export function yRange({ yEnds: { from, to } = {}, yShown, logY }: ChartSpec): uPlot.Range.Function {
  return (_, low, high) => {
    const finite = [low, high, yShown ?? Number.NaN].filter((value) => Number.isFinite(value) && value > 0);
    const max = finite.length > 0 ? Math.max(...finite) : 1;
    if (!logY) return [from ?? 0, to ?? max * 1.06];
    const min = finite.length > 1 ? Math.min(...finite) : max / 10;
    const floor = from !== undefined && from > 0 ? from : 10 ** Math.floor(Math.log10(min) + 1e-9);
    return [floor, Math.max(to ?? max * 1.3, floor * 10)];
  };
}
