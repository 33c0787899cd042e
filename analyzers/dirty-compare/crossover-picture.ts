import { leastCost } from '../../replay/dirty/cost-lines.ts';
import type { CostLine } from '../../replay/dirty/cost-lines.ts';
import type { Crossover, CrossoverMap } from '../../replay/dirty/crossover-result.ts';
import { formatBytes, formatNs } from '../report/format-units.ts';
import { html, trusted } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import { axisOf } from '../report/svg-axes.ts';

/** Which method costs least: rate of writing to the right, latency of page requests upwards, a colour for each method. */

const WIDTH = 1240;
const HEIGHT = 400;
const LEFT = 82;
const RIGHT = 22;
const TOP = 40;
const BOTTOM = 44;
const LOWEST_NS = 100;
const HIGHEST_NS = 10e6;
/** Columns between two scales of the result: its lines are nearly straight between them. */
const FINE = 6;
/** Room that a name needs to stand in its part of the map. */
const LABEL_WIDTH = 90;
const LABEL_HEIGHT = 18;
const MARK_WIDTH = 150;
const STEPS = [0, 14, -14, 28, -28, 42, -42];

interface Column {
  readonly rate: number;
  readonly lines: readonly CostLine[];
  readonly saturatedNs: number | null;
}

interface Cell {
  readonly x: number;
  readonly width: number;
  readonly top: number;
  readonly bottom: number;
}

/** `className` gives the colour of a method. */
export function crossoverPicture(
  crossover: Crossover,
  { criterion }: CrossoverMap,
  linkBytesPerSecond: number,
  className: (method: string) => string,
): Markup {
  const columns = columnsOf(crossover, criterion === 'cost' ? 0 : linkBytesPerSecond);
  const floor = HEIGHT - BOTTOM;
  const rates = columns.map(({ rate }) => rate);
  const across = axisOf({ log: true, base: 2 }, rates);
  const up = axisOf({ log: true, base: 10, from: LOWEST_NS, to: HIGHEST_NS }, [LOWEST_NS, HIGHEST_NS]);
  const px = (rate: number): number => round(LEFT + across.at(rate) * (WIDTH - LEFT - RIGHT));
  const py = (ns: number): number => round(floor - up.at(ns) * (floor - TOP));
  const cells = new Map<string, Cell[]>();
  const edges = new Map<string, string[]>();
  /** By pair of methods: how often its edge left the picture. */
  const breaks = new Map<string, number>();
  columns.forEach(({ rate, lines }, i) => {
    const from = px(Math.sqrt(rate * (rates[i - 1] ?? rate)));
    const to = px(Math.sqrt(rate * (rates[i + 1] ?? rate)));
    const segments = leastCost(lines);
    segments.forEach(({ method, fromNs }, s) => {
      const until = segments[s + 1]?.fromNs ?? Infinity;
      if (fromNs > 0) {
        const pair = `${segments[s - 1]?.method ?? ''} ${method}`;
        const inside = fromNs >= LOWEST_NS && fromNs <= HIGHEST_NS;
        if (inside) place(edges, `${pair} ${breaks.get(pair) ?? 0}`, `${px(rate)},${py(fromNs)}`);
        else breaks.set(pair, (breaks.get(pair) ?? 0) + 1);
      }
      if (until <= LOWEST_NS || fromNs >= HIGHEST_NS) return;
      const top = py(Math.min(HIGHEST_NS, until));
      place(cells, method, { x: from, width: to - from, top, bottom: py(Math.max(LOWEST_NS, fromNs)) });
    });
  });
  const saturated = columns.flatMap(({ rate, saturatedNs }) =>
    saturatedNs === null || saturatedNs < LOWEST_NS || saturatedNs > HIGHEST_NS
      ? []
      : [`${px(rate)},${py(saturatedNs)}`],
  );
  const told = [...cells.keys()].join(', ');
  const [byRequest] = crossover.methods.filter((method) => method.byRequest);
  const now = crossover.dirtyBytesPerSecond[crossover.scales.indexOf(1)] ?? 0;
  return html`<svg class="plane" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="The least expensive method by rate of writing and latency of page requests: ${told}">
${[...cells].map(([method, of]) => html`<g class="${className(method)}"><path d="${trusted(of.map(cellPath).join(''))}" fill="currentColor" fill-opacity="0.26" shape-rendering="crispEdges"/></g>`)}
${across.ticks.map((value) => html`<line class="tick" x1="${px(value)}" x2="${px(value)}" y1="${floor}" y2="${floor + 5}"/><text x="${px(value)}" y="${floor + 17}" text-anchor="${across.at(value) > 0.97 ? 'end' : 'middle'}">${formatBytes(value)}/s</text>`)}
${up.ticks.map((value) => html`<line class="tick" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(value)}" y2="${py(value)}"/><text x="${LEFT - 8}" y="${py(value) + 4}" text-anchor="end">${formatNs(value)}</text>`)}
<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${floor}" y2="${floor}"/><line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${TOP}" y2="${floor}"/>
<text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">memory that becomes dirty</text><text x="4" y="14">latency of a page request</text>
${[...edges.values()].map((points) => html`<g class="ink"><polyline class="boundary" points="${trusted(points.join(' '))}" stroke-width="1.75"/></g>`)}
${saturated.length < 2 ? null : html`<polyline class="front" points="${trusted(saturated.join(' '))}"/>`}
${crossover.marks.map(
  ({ name, standing, latencyNs }) =>
    html`<line class="${standing === 'published' ? 'leader' : 'limit'}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(latencyNs)}" y2="${py(latencyNs)}"/><text x="${WIDTH - RIGHT - 4}" y="${py(latencyNs) - 4}" text-anchor="end">${name === 'parameters' ? `${formatNs(latencyNs)}, by the parameters` : `${name}, ${standing}`}</text>`,
)}
${now > 0 ? html`<line class="limit" x1="${px(now)}" x2="${px(now)}" y1="${TOP}" y2="${floor}"/><text x="${px(now)}" y="${TOP - 6}" text-anchor="middle">this trace</text>` : null}
${saturated.length < 2 ? null : html`<text x="${WIDTH - RIGHT}" y="14" text-anchor="end">dotted: above it ${byRequest?.name ?? ''} needs more requests at once than devices have</text>`}
${[...cells].map(([method, of]) =>
  label(
    method,
    of,
    className(method),
    crossover.marks.map(({ latencyNs }) => py(latencyNs)),
  ),
)}</svg>`;
}

/** What is between two scales is interpolated, in logarithms where there is something. */
function columnsOf({ scales, dirtyBytesPerSecond, methods }: Crossover, link: number): readonly Column[] {
  const columns: Column[] = [];
  const [byRequest] = methods.filter((method) => method.byRequest);
  for (let i = 0; i < scales.length; i++) {
    for (let step = 0; step < (i === scales.length - 1 ? 1 : FINE); step++) {
      const at = (values: readonly (number | null)[]): number => {
        const low = values[i] ?? 0;
        const high = values[i + 1] ?? low;
        const share = step / FINE;
        return low > 0 && high > 0 ? low * (high / low) ** share : low + (high - low) * share;
      };
      const rate = at(dirtyBytesPerSecond);
      if (!(rate > (columns.at(-1)?.rate ?? 0))) continue;
      columns.push({
        rate,
        saturatedNs: byRequest === undefined ? null : at(byRequest.saturatedNs) || null,
        lines: methods
          .filter(({ ofDevices }) => ofDevices)
          .map(({ name, fixedNs, requests, reportedBytes }) => ({
            name,
            fixed: at(fixedNs) + (link === 0 ? 0 : (at(reportedBytes) / link) * 1e9),
            slope: at(requests),
          })),
      });
    }
  }
  return columns;
}

function cellPath({ x, width, top, bottom }: Cell): string {
  return `M${x} ${top}h${round(width)}V${bottom}h${round(-width)}z`;
}

/** A name stands in the middle of the column around which its method has most room. */
function label(name: string, cells: readonly Cell[], className: string, taken: readonly number[]): Markup | null {
  const from = Math.min(...cells.map(({ x }) => x));
  const to = Math.max(...cells.map(({ x, width }) => x + width));
  const tallest = [...cells].sort((a, b) => weight(b, from, to) - weight(a, from, to))[0];
  if (tallest === undefined || to - from < LABEL_WIDTH || tallest.bottom - tallest.top < LABEL_HEIGHT) return null;
  const half = LABEL_WIDTH / 2;
  // the right side has the names of the marks
  const right = Math.max(from + half, Math.min(to - half, WIDTH - RIGHT - MARK_WIDTH - half));
  const x = round(Math.min(right, Math.max(from + half, tallest.x)));
  const middle = (tallest.top + tallest.bottom) / 2 + 4;
  const free = STEPS.map((step) => middle + step).find(
    (y) => y < tallest.bottom - 4 && y - 12 > tallest.top && !taken.some((line) => line > y - 14 && line < y + 4),
  );
  return html`<g class="${className}"><text class="name" x="${x}" y="${round(free ?? middle)}" text-anchor="middle">${name}</text></g>`;
}

/** Tall columns, and of those the ones that are far from the sides. */
function weight({ x, top, bottom }: Cell, from: number, to: number): number {
  return (bottom - top) * (1 + Math.min(x - from, to - x) / Math.max(1, to - from));
}

function place<T>(map: Map<string, T[]>, key: string, value: T): void {
  const there = map.get(key);
  if (there === undefined) map.set(key, [value]);
  else there.push(value);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
