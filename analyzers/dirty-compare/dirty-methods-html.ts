import type { DirtyResult, DirtyRow } from '../../replay/dirty/dirty-result.ts';
import { chapterPage } from '../report/chapter-page.ts';
import { leadOf, partOf, partsOf } from '../report/chapter.ts';
import type { Chapter, PagePart } from '../report/chapter.ts';
import { formatCount, formatNs } from '../report/format-units.ts';
import { plainTable } from '../report/html-parts.ts';
import { lineFigure, timeAxis } from '../report/line-chart.ts';
import type { DrawnLine } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import { filesOf } from '../report/envelope.ts';
import type { DirtyReport } from './compare-dirty-command.ts';
import { crossoverSection } from './crossover-html.ts';
import {
  PLAN_TITLES,
  TIME_COLUMNS,
  WORK_COLUMNS,
  dirtyFacts,
  dirtyHeadline,
  planRows,
  timeRows,
} from './dirty-cells.ts';

const PAGE_BYTES = 4096;
/** Points of a line: more than a picture has room for is only weight. */
const MOST_POINTS = 600;

/** One line a method, of those that have a point. */
function linesOf(
  { methods }: DirtyResult,
  points: (row: DirtyRow) => readonly (readonly [number, number])[],
): readonly DrawnLine[] {
  return methods.flatMap((row, i) => {
    const all = points(row);
    const every = Math.max(1, Math.ceil(all.length / MOST_POINTS));
    const shown = all.filter((_, at) => at % every === 0 || at === all.length - 1);
    return shown.length === 0
      ? []
      : [{ label: row.name, style: lineStyle(i, false), points: shown, marks: shown.length < 60 }];
  });
}

/** What is to be sent, pass by pass, since the migration began. */
function remaining({ threads }: DirtyRow): readonly (readonly [number, number])[] {
  const passes = threads[0]?.migration.passes ?? [];
  const [first, last] = [passes[0], passes.at(-1)];
  if (first === undefined || last === undefined) return [];
  return [
    ...passes.map((pass) => [pass.startNs - first.startNs, pass.sent * PAGE_BYTES] as const),
    [last.startNs + last.durationNs - first.startNs, last.reported * PAGE_BYTES] as const,
  ].filter(([, bytes]) => bytes > 0);
}

/** The recorded migration in the same way: what became dirty between QEMU's synchronisations. */
function recordedLine(result: DirtyResult): readonly DrawnLine[] {
  const { recorded, interval, startNs, methods } = result;
  const series = methods[0]?.series;
  if (recorded === null || interval !== 'recorded' || series === undefined) return [];
  const points = series.t
    .map((t, i) => [t - startNs, (series.written[i] ?? 0) * PAGE_BYTES] as const)
    .filter(([, bytes]) => bytes > 0);
  const first = recorded.memoryPages === null ? [] : [[0, recorded.memoryPages * PAGE_BYTES] as const];
  const style = lineStyle(methods.length, false);
  return [{ label: 'as recorded', style, points: [...first, ...points], marks: points.length < 60 }];
}

/** Time up to which the picture goes: what never ends would press the others into a corner. */
function lookedAt(result: DirtyResult): number {
  const ends = result.methods.flatMap(({ threads }) => {
    const migration = threads[0]?.migration;
    return migration?.converged === true ? [migration.totalNs] : [];
  });
  return ends.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...ends) * 1.5;
}

function convergence(result: DirtyResult): PagePart {
  const until = lookedAt(result);
  const all = [...linesOf(result, remaining), ...recordedLine(result)];
  const lines = all.map((line) => ({ ...line, points: line.points.filter(([at]) => at <= until) }));
  const cut = all.filter((line, i) => line.points.length > (lines[i]?.points.length ?? 0)).map(({ label }) => label);
  const limit = (result.linkBytesPerSecond * result.downtimeLimitNs) / 1e9;
  const goesOn =
    cut.length === 0 ? '' : `; ${cut.join(', ')} ${cut.length === 1 ? 'goes' : 'go'} on beyond the picture`;
  return partOf(
    'convergence',
    'Convergence',
    html`A migration ends when what a pass has to send fits into the downtime that is allowed, the broken line.`,
    html`${lineFigure(
      'Pre-copy',
      `Memory to be sent at the beginning of each pass, with ${formatCount(result.methods[0]?.threads[0]?.threads ?? 1)} harvest thread${goesOn}`,
      {
        about: 'What each pass has to send',
        x: { title: 'since the migration began', unit: 'ns', log: false, base: 10 },
        y: { title: 'to be sent', unit: 'bytes', log: true, base: 2 },
        lines,
        limit: { at: limit, label: `sent within ${formatNs(result.downtimeLimitNs)}` },
      },
    )}`,
  );
}

function harvests(result: DirtyResult): PagePart {
  const times = linesOf(result, ({ series, threads }) =>
    series.t.map((t, i) => [t, threads[0]?.wallNs[i] ?? 0] as const).filter(([, ns]) => ns > 0),
  );
  const found = linesOf(result, ({ series }) =>
    series.t.map((t, i) => [t, (series.reported[i] ?? 0) * PAGE_BYTES] as const).filter(([, bytes]) => bytes > 0),
  );
  const scaling = linesOf(result, ({ threads }) =>
    threads.map((one) => [one.threads, one.harvestNs / Math.max(1, one.wallNs.length)] as const),
  );
  const from = Math.min(
    ...result.methods.flatMap((row) => row.series.t.slice(0, 1)),
    result.startNs + result.durationNs,
  );
  const several = (result.methods[0]?.threads.length ?? 0) > 1;
  return partOf(
    'harvests',
    'Harvests',
    html`What each harvest reported, and how long it took.`,
    html`${lineFigure('Reported', 'Memory that a harvest calls dirty', {
      about: 'Reported by each harvest',
      x: timeAxis(from),
      y: { title: 'reported', unit: 'bytes', log: true, base: 2 },
      lines: found,
    })}${lineFigure('Duration', 'With the first number of threads', {
      about: 'Duration of each harvest',
      x: timeAxis(from),
      y: { title: 'duration', unit: 'ns', log: true, base: 10 },
      lines: times,
    })}${
      several
        ? lineFigure('Threads', 'Mean duration of a harvest', {
            about: 'Harvest time against threads',
            x: { title: 'threads', unit: 'count', log: true, base: 2 },
            y: { title: 'mean harvest', unit: 'ns', log: true, base: 10 },
            lines: scaling,
          })
        : null
    }`,
  );
}

function figures(result: DirtyResult): PagePart {
  const plans = planRows(result);
  const work = result.methods.map((row) => [row.name, ...WORK_COLUMNS.map(({ cell }) => cell(row))]);
  return partOf(
    'figures',
    'Figures',
    null,
    html`<div class="panel"><p class="caption">Time, and the migration</p>${plainTable('Time', ['method', ...TIME_COLUMNS.map(({ title }) => title)], timeRows(result))}</div><div class="panel"><p class="caption">What a method reports and does</p>${plainTable('Work', ['method', ...WORK_COLUMNS.map(({ title }) => title)], work)}</div>${
      plans.length === 0
        ? null
        : html`<div class="panel"><p class="caption">One harvest of memory that is not there</p>${plainTable('Plans', PLAN_TITLES, plans)}</div>`
    }`,
  );
}

/** What `iorr compare --dirty` found, for a page. */
export function dirtyMethodsChapter(dirty: DirtyResult, file: string): Chapter {
  return {
    command: 'compare --dirty',
    file,
    lead: leadOf(dirtyHeadline(dirty), []),
    caveats: dirty.caveats,
    parts: partsOf(convergence(dirty), harvests(dirty), crossoverSection(dirty), figures(dirty)),
    basis: [dirtyFacts(dirty)],
    parameters: dirty.parameters,
    charts: null,
  };
}

/** The page of `iorr compare --dirty`: one file that opens anywhere. */
export function dirtyMethodsHtml(report: DirtyReport): string {
  return chapterPage(dirtyMethodsChapter(report.result.dirty, filesOf(report)), report);
}
