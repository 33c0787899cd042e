import { formatNs } from '../report/format-units.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import { lineStyle } from '../report/line-styles.ts';
import { STAGES, SUCCESSIVE } from './pri-stages.ts';
import type { StageName, StageReports } from './pri-stages.ts';

const WIDTH = 1240;
const LEFT = 64;
const RIGHT = 96;
const ROW = 34;
const TOP = 8;

const MEASURES = [
  ['mean', 'Mean'],
  ['p50', 'P50'],
  ['p99', 'P99'],
] as const;

/** Stages of which the bars show a part, in their order. */
export function barStages(stages: StageReports): readonly StageName[] {
  const successive = SUCCESSIVE.filter((name) => stages[name] !== null);
  return successive.some((name) => name !== 'completed')
    ? successive
    : (['answered', 'completed'] as const).filter((name) => stages[name] !== null);
}

/**
 * Where a group's time goes: stages one behind the other, by mean, median and 99th percentile; the middle where only bounds are
 * known. Null without stages.
 */
export function stageBars(stages: StageReports): Markup | null {
  const names = barStages(stages);
  if (names.length === 0) return null;
  const rows = MEASURES.map(([key, title]) => {
    const parts = names.map((name) => {
      const least = stages[name]?.ns[key] ?? 0;
      return { name, ns: (least + (stages[name]?.atMostNs?.[key] ?? least)) / 2 };
    });
    return { title, parts, sum: parts.reduce((sum, { ns }) => sum + ns, 0) };
  });
  const height = TOP + rows.length * ROW;
  return html`<svg class="plane" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Time of a group by stage: ${names.map((name) => STAGES[name]).join(', ')}">${rows.map(
    ({ title, parts, sum }, i) => {
      const y = TOP + i * ROW;
      let x = LEFT;
      const scale = sum > 0 ? (WIDTH - LEFT - RIGHT) / sum : 0;
      const drawn = parts.map(({ name, ns }) => {
        const width = ns * scale;
        const at = x;
        x += width;
        return html`<g class="${styleOf(name).className}"><rect x="${round(at)}" y="${y}" width="${round(width)}" height="22" fill="currentColor"><title>${STAGES[name]}: ${formatNs(ns)}</title></rect></g>`;
      });
      return html`<text x="${LEFT - 8}" y="${y + 16}" text-anchor="end">${title}</text>${drawn}<text x="${WIDTH - RIGHT + 8}" y="${y + 16}">${formatNs(sum)}</text>`;
    },
  )}</svg>`;
}

/** A stage has one colour in all pictures. */
export function styleOf(name: StageName) {
  return lineStyle(Object.keys(STAGES).indexOf(name), false);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
