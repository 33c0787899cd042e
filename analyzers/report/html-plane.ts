import { isDesign } from './comparison.ts';
import type { ComparedRow, DesignRow } from './comparison.ts';
import { formatDecimal, formatNs } from './format-units.ts';
import { lineStyle } from './line-styles.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { paretoFront } from './pareto.ts';

/** The trade as a picture: CPU time to the right, exposure upwards, both logarithmic; a point for each row. */

const WIDTH = 520;
const HEIGHT = 310;
const LEFT = 74;
const RIGHT = 18;
const TOP = 22;
const BOTTOM = 46;
/** Height of a line of text, and its width a character, in units of the view box. */
const LINE = 15;
const CHAR = 7.3;

interface Axis {
  readonly ticks: readonly number[];
  /** 0 to 1 along the axis; values that a log axis can't show lie at its beginning. */
  at(value: number): number;
}

function logAxis(values: readonly number[]): Axis {
  const positive = values.filter((value) => value > 0);
  const low = positive.length > 0 ? Math.floor(Math.log10(Math.min(...positive)) - 0.15) : 0;
  const high = Math.max(low + 1, positive.length > 0 ? Math.ceil(Math.log10(Math.max(...positive)) + 0.15) : 1);
  const every = Math.ceil((high - low) / 6);
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => low + i).filter(
    (power) => (power - low) % every === 0,
  );
  return {
    ticks: ticks.map((power) => 10 ** power),
    at: (value) => (value > 0 ? (Math.log10(value) - low) / (high - low) : 0),
  };
}

interface Point {
  /** Gives the colour. */
  readonly row: DesignRow;
  readonly text: string;
  readonly x: number;
  readonly y: number;
}

interface Label extends Point {
  readonly anchor: 'start' | 'end';
  readonly labelX: number;
  readonly labelY: number;
}

function cut(label: string): string {
  return label.length > 26 ? `${label.slice(0, 25)}…` : label;
}

/** Where a label may lie: near its point first, then further up or down, on either side. */
const STEPS = [0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6, -7, 7, -8, 8];
/** Half of the room that a point takes. */
const DOT = 7;

function span(label: Label): readonly [from: number, to: number] {
  const length = label.text.length * CHAR;
  return label.anchor === 'start' ? [label.labelX, label.labelX + length] : [label.labelX - length, label.labelX];
}

function isFree(label: Label, placed: readonly Label[], points: readonly Point[]): boolean {
  const [from, to] = span(label);
  if (from < LEFT + 2 || to > WIDTH - 2 || label.labelY < TOP + 4 || label.labelY > HEIGHT - BOTTOM - 2) return false;
  const middle = label.labelY - 4;
  const onLabel = placed.some((other) => {
    const [otherFrom, otherTo] = span(other);
    return Math.abs(other.labelY - label.labelY) < LINE && otherTo > from - 4 && otherFrom < to + 4;
  });
  return !onLabel && !points.some(({ x, y }) => Math.abs(y - middle) < DOT + 5 && x + DOT > from && x - DOT < to);
}

function placeInOrder(ordered: readonly Point[]): { readonly labels: readonly Label[]; readonly moved: number } {
  const labels: Label[] = [];
  let moved = 0;
  for (const point of ordered) {
    const candidates = STEPS.flatMap((step) =>
      (['start', 'end'] as const).map((anchor): Label => {
        const labelX = anchor === 'start' ? point.x + 11 : point.x - 11;
        return { ...point, anchor, labelX, labelY: point.y + 4 + step * LINE };
      }),
    );
    const found = candidates.findIndex((label) => isFree(label, labels, ordered));
    const label = candidates[Math.max(0, found)];
    moved += found < 0 ? 100 : found;
    if (label !== undefined) labels.push(label);
  }
  return { labels, moved };
}

/** Beside each point, moved until no label lies on another or on a point; the best of four orders of placing them. */
function labelled(points: readonly Point[]): readonly Label[] {
  const orders: readonly ((a: Point, b: Point) => number)[] = [
    (a, b) => b.x - a.x || a.y - b.y,
    (a, b) => a.x - b.x || a.y - b.y,
    (a, b) => b.y - a.y || a.x - b.x,
    (a, b) => a.y - b.y || a.x - b.x,
  ];
  const tries = orders.map((order) => placeInOrder([...points].sort(order)));
  return tries.reduce((best, one) => (one.moved < best.moved ? one : best)).labels;
}

/** Rows that lie on one spot share a point and a label. */
function spots(rows: readonly DesignRow[], place: (row: DesignRow) => readonly [number, number]): readonly Point[] {
  const found = new Map<string, DesignRow[]>();
  for (const row of rows) {
    const key = place(row).join(' ');
    const there = found.get(key);
    if (there === undefined) found.set(key, [row]);
    else there.push(row);
  }
  return [...found.values()].flatMap((here) => {
    const [row] = here;
    if (row === undefined) return [];
    const [x, y] = place(row);
    const labels = here.map((one) => cut(one.label));
    const text = here.length <= 2 ? labels.join(', ') : `${labels[0]} and ${here.length - 1} more`;
    return [{ row, text, x, y }];
  });
}

/** Null where there is nothing to weigh: fewer than two rows, or an exposure that is not known. */
export function exposurePlane(rows: readonly ComparedRow[]): Markup | null {
  // A recording has no CPU time: it has no place here.
  const known = rows.filter(isDesign).filter((row) => row.design.exposure !== null);
  if (known.length < 2) return null;
  const cost = logAxis(known.map((row) => row.design.cpuNs));
  const exposure = logAxis(known.map((row) => row.design.exposure?.pageSeconds ?? 0));
  const across = (share: number): number => Math.round((LEFT + share * (WIDTH - LEFT - RIGHT)) * 10) / 10;
  const up = (share: number): number => Math.round((HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)) * 10) / 10;
  const points = spots(known, (row) => [
    across(cost.at(row.design.cpuNs)),
    up(exposure.at(row.design.exposure?.pageSeconds ?? 0)),
  ]);
  const floor = HEIGHT - BOTTOM;
  const front = paretoFront(known);
  const onFront = new Set(front.map((row) => row.number));
  // down first, then across: between two of its points the front is as dear as the one and as exposed as the other
  const steps = front.map((row, i) => {
    const x = across(cost.at(row.design.cpuNs));
    const y = up(exposure.at(row.design.exposure?.pageSeconds ?? 0));
    return i === 0 ? `M${x} ${y}` : `H${x}V${y}`;
  });
  const told = known.map(
    (row) =>
      `${row.label}: ${formatNs(row.design.cpuNs)}, ${formatDecimal(row.design.exposure?.pageSeconds ?? null)} page-seconds`,
  );
  return html`<svg class="plane" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="CPU time against exposure. ${told.slice(0, 12).join('; ')}">
${cost.ticks.map((value) => html`<line class="tick" x1="${across(cost.at(value))}" x2="${across(cost.at(value))}" y1="${TOP}" y2="${floor}"/><text x="${across(cost.at(value))}" y="${floor + 17}" text-anchor="middle">${formatNs(value).replace('.00', '').replace('.0', '')}</text>`)}
${exposure.ticks.map((value) => html`<line class="tick" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${up(exposure.at(value))}" y2="${up(exposure.at(value))}"/><text x="${LEFT - 8}" y="${up(exposure.at(value)) + 4}" text-anchor="end">${plainTick(value)}</text>`)}
<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${floor}" y2="${floor}"/><line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${TOP}" y2="${floor}"/>
<text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">CPU time for invalidation</text><text x="4" y="12">page-seconds</text>
<text class="toward" x="${LEFT}" y="${HEIGHT - 6}">← cheaper, ↓ safer</text>
${steps.length > 1 ? html`<path class="front" d="${steps.join('')}"/>` : null}
${labelled(points).map((label) => {
  const { className } = lineStyle(label.row.number, label.row.recorded);
  const far = Math.abs(label.labelY - 4 - label.y) > LINE * 1.2;
  return html`<g class="${className}">${
    far
      ? html`<line class="leader" x1="${label.x}" y1="${label.y}" x2="${label.labelX}" y2="${label.labelY - 4}"/>`
      : null
  }${
    onFront.has(label.row.number) ? html`<circle class="on-front" cx="${label.x}" cy="${label.y}" r="9"/>` : null
  }<circle class="design" cx="${label.x}" cy="${label.y}" r="5.5"/><text class="name" x="${label.labelX}" y="${label.labelY}" text-anchor="${label.anchor}">${label.text}</text></g>`;
})}</svg>`;
}

function plainTick(value: number): string {
  return value >= 1 ? formatDecimal(value, 1) : String(Number(value.toPrecision(1)));
}
