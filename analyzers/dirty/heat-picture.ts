import { formatBytes, formatCount, formatNs } from '../report/format-units.ts';
import { html, trusted } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import { axisOf } from '../report/svg-axes.ts';
import type { HeatBand, HeatMap } from './heat-map.ts';

/** Addresses upwards, time to the right: how much of each block is written when. */

const WIDTH = 1240;
const LEFT = 150;
const RIGHT = 14;
const TOP = 20;
const BOTTOM = 40;
const BAND = 10;
/** Between blocks that are not neighbours. */
const GAP = 4;
/** Between two lines of text. */
const LABEL = 13;
const LEVELS = 8;

interface Row {
  readonly band: HeatBand;
  readonly y: number;
  readonly label: boolean;
}

export function heatPicture({ startNs, binNs, blockBytes, bands }: HeatMap): Markup {
  const most = bands.reduce((high, band) => Math.max(high, ...band.pages), 1);
  const bins = bands[0]?.pages.length ?? 1;
  const cell = (WIDTH - LEFT - RIGHT) / bins;
  const rows = placed(bands, blockBytes);
  const floor = (rows[0]?.y ?? TOP) + BAND;
  const time = axisOf({ log: false, base: 10, from: startNs, to: startNs + bins * binNs }, []);
  const x = (ns: number): number => round(LEFT + time.at(ns) * (WIDTH - LEFT - RIGHT));
  const paths = cells(rows, cell, most);
  const several = new Set(bands.map((band) => band.space)).size > 1;
  return html`<svg class="plane heat" viewBox="0 0 ${WIDTH} ${floor + BOTTOM}" role="img" aria-label="Pages written by address and time: ${bands.length} blocks of ${formatBytes(blockBytes)}">
${rows.map(({ y }) => html`<rect class="back" x="${LEFT}" y="${y}" width="${WIDTH - LEFT - RIGHT}" height="${BAND}"/>`)}
${paths.map((path, level) => (path === '' ? null : html`<path class="heat-${level + 1}" d="${trusted(path)}"/>`))}
${rows.map(({ band, y, label }) => html`${label ? html`<text x="${LEFT - 8}" y="${y + 9}" text-anchor="end">${several ? `${band.space} ` : ''}${band.start}</text>` : null}<rect class="band" x="${LEFT}" y="${y}" width="${WIDTH - LEFT - RIGHT}" height="${BAND}"><title>${told(band, startNs, binNs)}</title></rect>`)}
<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${floor + 3}" y2="${floor + 3}"/>
${time.ticks.map((ns) => html`<line class="axis" x1="${x(ns)}" x2="${x(ns)}" y1="${floor + 3}" y2="${floor + 7}"/><text x="${x(ns)}" y="${floor + 20}" text-anchor="middle">${formatNs(ns)}</text>`)}
<text x="${WIDTH - RIGHT}" y="${floor + 35}" text-anchor="end">time</text><text x="4" y="12">address</text>
</svg><p class="sub">One page of a block in ${formatNs(binNs)} <svg class="heat-scale" viewBox="0 0 ${LEVELS * 16} 10" width="${LEVELS * 16}" height="10" aria-hidden="true">${Array.from({ length: LEVELS }, (_, i) => html`<rect class="heat-${i + 1}" x="${i * 16}" width="16" height="10"/>`)}</svg> ${formatCount(most)} pages; a step is a factor. Blocks without writes are left out.</p>`;
}

/** The lowest address at the bottom. */
function placed(bands: readonly HeatBand[], blockBytes: number): readonly Row[] {
  let y = TOP;
  let before: HeatBand | undefined;
  let labelled = TOP - LABEL;
  const rows: Row[] = [];
  for (const band of [...bands].reverse()) {
    const near = before !== undefined && before.space === band.space;
    if (before !== undefined && !(near && BigInt(band.start) + BigInt(blockBytes) === BigInt(before.start))) y += GAP;
    const label = y - labelled >= LABEL;
    if (label) labelled = y;
    rows.unshift({ band, y, label });
    before = band;
    y += BAND;
  }
  return rows;
}

/** One path for each level of heat; neighbours of one level are one rectangle. */
function cells(rows: readonly Row[], cell: number, most: number): readonly string[] {
  const paths = new Array<string>(LEVELS).fill('');
  for (const { band, y } of rows) {
    for (let i = 0; i < band.pages.length; ) {
      const level = levelOf(band.pages[i] ?? 0, most);
      const from = i;
      while (i < band.pages.length && levelOf(band.pages[i] ?? 0, most) === level) i++;
      if (level === 0) continue;
      paths[level - 1] +=
        `M${round(LEFT + from * cell)} ${y}h${round((i - from) * cell)}v${BAND}h${round((from - i) * cell)}z`;
    }
  }
  return paths;
}

/** 0 for none, then by the logarithm up to the most. */
function levelOf(pages: number, most: number): number {
  if (pages <= 0) return 0;
  return most <= 1 ? LEVELS : 1 + Math.round((Math.log(pages) / Math.log(most)) * (LEVELS - 1));
}

function told(band: HeatBand, startNs: number, binNs: number): string {
  const hottest = band.pages.indexOf(Math.max(...band.pages));
  return `${band.space} ${band.start}: most in ${formatNs(startNs + hottest * binNs)}, ${formatCount(band.pages[hottest] ?? 0)} pages in ${formatNs(binNs)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
