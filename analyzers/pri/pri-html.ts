import type { AnalysisPage } from '../analysis.ts';
import { chapterPage } from '../report/chapter-page.ts';
import { leadOf, partOf, partsOf } from '../report/chapter.ts';
import type { Chapter, Lead, PagePart } from '../report/chapter.ts';
import { formatCount, formatDecimal, formatNs, formatNumberOf, formatShare } from '../report/format-units.ts';
import { eventLink, legendOf, sortableTable } from '../report/html-parts.ts';
import type { Cell } from '../report/html-parts.ts';
import { lineFigure, timeAxis } from '../report/line-chart.ts';
import type { DrawnLine } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { PriResult } from './pri.ts';
import { STAGES } from './pri-stages.ts';
import type { StageName, StageReport } from './pri-stages.ts';
import { damageParts, shownStages, stageNs } from './pri-text.ts';
import { barStages, stageBars, styleOf } from './stage-bars.ts';

/** Rows of a table on the page; JSON has all. */
const SHOWN = 200;

function title({ groups, answered, unanswered, sees, commands, stages }: PriResult): string {
  if (!sees.requests && !sees.reads)
    return `${formatNumberOf(commands, 'response')} to requests that the trace does not show`;
  if (unanswered > 0)
    return `${formatCount(unanswered)} of ${formatNumberOf(groups, 'page request group')} without an answer`;
  const median = stages.answered === null ? '' : `, half of them within ${formatNs(stages.answered.ns.p50)}`;
  return `${formatNumberOf(answered, 'page request group')} answered${median}`;
}

function lead(result: PriResult, file: string): Lead {
  const { requests, codes, by, occupancy } = result;
  const facts: readonly (readonly [string, string])[] = [
    ['Trace', file],
    ...(requests === null ? [] : [['Requests', formatCount(requests)] as const]),
    ['SUCCESS', formatCount(codes.success)],
    ['INVALID', formatCount(codes.invalid)],
    ['FAILURE', formatCount(codes.failure)],
    ['By user space', formatCount(by.user)],
    ['By the kernel', formatCount(by.kernel)],
    ...(occupancy?.groups ? [['At once', formatNumberOf(occupancy.groups.max, 'group')] as const] : []),
  ];
  return leadOf(title(result), facts);
}

/** Share of groups that took at most so long, from the histogram. */
function cumulative(name: StageName, { histogram, count }: StageReport): DrawnLine {
  let sum = 0;
  const points = histogram.map(({ fromNs, count: groups }) => {
    sum += groups;
    // a part ends a quarter of an octave behind its beginning
    return [Math.max(1, fromNs) * 2 ** 0.25, sum / count] as const;
  });
  return { label: STAGES[name], style: styleOf(name), points };
}

function latencySection(result: PriResult): PagePart | null {
  const shown = shownStages(result);
  if (shown.length === 0) return null;
  const lines = shown.map(([name, stage]) => cumulative(name, stage));
  const bars = stageBars(result.stages);
  const legend = legendOf(barStages(result.stages).map((name) => ({ label: STAGES[name], style: styleOf(name) })));
  const rows = shown.map(([name, stage]): readonly Cell[] => [
    [STAGES[name], null],
    [formatCount(stage.count), stage.count],
    [stageNs(stage, 'p50'), stage.ns.p50],
    [stageNs(stage, 'p95'), stage.ns.p95],
    [stageNs(stage, 'p99'), stage.ns.p99],
    [stageNs(stage, 'max'), stage.ns.max],
    [stageNs(stage, 'mean'), stage.ns.mean],
  ]);
  const bounded = shown.some(([, stage]) => stage.atMostNs !== null)
    ? ' Where only bounds are known, the distribution shows the lower one, and the bars the middle.'
    : '';
  return partOf(
    'latency',
    'Latency',
    html`How long groups took from one point of their way to the next.${bounded}`,
    html`${lineFigure('Distribution', 'Share of the groups that took at most so long', {
      about: 'Share of groups by the time that a stage took',
      x: { title: 'at most', unit: 'ns', log: true, base: 10 },
      y: { title: 'groups', unit: 'share', log: false, base: 10, to: 1 },
      lines,
    })}<figure class="panel"><figcaption><div><h3>Stages</h3><p class="sub">Mean, median and 99th percentile of each stage</p></div></figcaption>${bars}${legend}</figure><div class="panel">${sortableTable('Stages', ['From, to', 'Groups', 'P50', 'P95', 'P99', 'Longest', 'Mean'], rows)}</div>`,
  );
}

function occupancySection({ occupancy, outOfOrder }: PriResult): PagePart | null {
  if (occupancy === null) return null;
  const { startNs, binNs } = occupancy;
  const all = [
    ['requests', occupancy.requests],
    ['groups', occupancy.groups],
    ['not yet read', occupancy.waiting],
    ['with user space', occupancy.inUser],
  ] as const;
  const known = all.flatMap(([name, one], i) => (one === null ? [] : [{ name, one, style: lineStyle(i, false) }]));
  const lines = known.map(
    ({ name, one, style }): DrawnLine => ({
      label: name,
      style,
      points: one.bins.map(({ max }, i) => [startNs + (i + 0.5) * binNs, max] as const),
    }),
  );
  const rows = known.map(({ name, one }): readonly Cell[] => [
    [name, null],
    [formatCount(one.max), one.max],
    [formatNs(one.maxAtNs), one.maxAtNs],
    [formatDecimal(one.mean), one.mean],
  ]);
  const order =
    outOfOrder > 0 ? ` ${formatNumberOf(outOfOrder, 'group')} answered after one that was complete later.` : '';
  return partOf(
    'occupancy',
    'Occupancy',
    html`Most at once in each ${formatNs(binNs)}, of what was asked and not yet answered.${order}`,
    html`${lineFigure('At once', 'Requests and groups on their way', {
      about: 'What was on its way at once, over time',
      x: timeAxis(startNs, startNs + 120 * binNs),
      y: { title: 'at most at once', unit: 'count', log: false, base: 10 },
      lines,
    })}<div class="panel">${sortableTable('Occupancy', ['On their way', 'Most', 'First at', 'Mean'], rows)}</div>`,
  );
}

function answerSection({ answers, devices, sizes }: PriResult): PagePart | null {
  if (answers.length + devices.length === 0) return null;
  const answerRows = answers.map(({ code, groups, by, what }): readonly Cell[] => [
    [code, null],
    [formatCount(groups), groups],
    [by, null],
    [what, null],
  ]);
  const deviceRows = devices.slice(0, SHOWN).map((row): readonly Cell[] => [
    [row.device, null],
    [row.pasid === null ? '' : String(row.pasid), row.pasid],
    [formatCount(row.requests), row.requests],
    [formatCount(row.groups), row.groups],
    [formatCount(row.success), row.success],
    [formatCount(row.invalid), row.invalid],
    [formatCount(row.failure), row.failure],
    [formatCount(row.unanswered), row.unanswered],
    [row.answered === null ? '' : stageNs(row.answered, 'p50'), row.answered?.ns.p50 ?? null],
    [row.answered === null ? '' : stageNs(row.answered, 'p99'), row.answered?.ns.p99 ?? null],
  ]);
  const sizeRows = sizes.slice(0, SHOWN).map(({ requests, groups }): readonly Cell[] => [
    [formatCount(requests), requests],
    [formatCount(groups), groups],
    [formatCount(requests * groups), requests * groups],
  ]);
  return partOf(
    'answers',
    'Answers',
    html`What the devices were told, by whom, and how that is known.`,
    html`<div class="panel">${sortableTable('Answers', ['Answer', 'Groups', 'By', 'How that is known'], answerRows, [2, 3])}</div><div class="panel"><p class="caption">Requesters and PASIDs</p>${sortableTable('Requesters', ['Requester', 'PASID', 'Requests', 'Groups', 'SUCCESS', 'INVALID', 'FAILURE', 'Open', 'P50', 'P99'], deviceRows)}</div><div class="panel"><p class="caption">Requests in a group</p>${sortableTable('Group sizes', ['Requests', 'Groups', 'Requests in all'], sizeRows)}</div>`,
  );
}

function pagesSection({ repeats, prefetch, groups }: PriResult): PagePart | null {
  if (repeats === null) return null;
  const facts: readonly (readonly [string, string])[] = [
    ['Pages', `${formatCount(repeats.pages)}, ${formatCount(repeats.pagesAgain)} of them asked for again`],
    ['Most for one page', formatNumberOf(repeats.mostOfOnePage, 'request')],
    [
      'Again after SUCCESS',
      `${formatCount(repeats.afterSuccess)}, ${formatCount(repeats.flushedBetween)} with a device-TLB invalidation between`,
    ],
    ['Again after INVALID', formatCount(repeats.afterInvalid)],
    ['Again after FAILURE', formatCount(repeats.afterFailure)],
    ['Again before any answer', formatCount(repeats.whileOutstanding)],
  ];
  const avoided: DrawnLine = {
    label: 'avoided',
    style: lineStyle(2, false),
    points: prefetch.map(({ blockPages, share }) => [blockPages, share] as const),
    marks: true,
  };
  const figure = lineFigure('Larger blocks', 'Groups that they would have avoided', {
    about: 'Groups that larger blocks would have avoided',
    x: { title: 'pages brought in at once', unit: 'count', log: true, base: 2 },
    y: { title: 'groups less', unit: 'share', log: false, base: 10, to: 1 },
    lines: [avoided],
  });
  const rows = prefetch.map(({ blockPages, avoided: less, blocks }): readonly Cell[] => [
    [formatCount(blockPages), blockPages],
    [formatCount(less), less],
    [formatShare(less, groups), less],
    [formatCount(blocks), blocks],
  ]);
  return partOf(
    'pages',
    'Pages',
    html`Pages asked for again, and what bringing in the aligned block around each page would have saved at most.`,
    html`<div class="panel"><dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></div><div class="beside">${figure}<div class="panel">${sortableTable('Larger blocks', ['Pages at once', 'Groups less', 'Of all', 'Blocks'], rows)}</div></div>`,
  );
}

function oddSection(result: PriResult): PagePart | null {
  const parts = damageParts(result);
  if (parts.length === 0) return null;
  const rows = result.findings.slice(0, SHOWN).map(({ event, kind, what, count }): readonly Cell[] => [
    [eventLink(event), event],
    [formatCount(count), count],
    [kind.replaceAll('-', ' '), null],
    [what, null],
  ]);
  return partOf(
    'odd',
    'Missing or odd',
    html`${parts.map(([kind, count]) => `${kind} ${formatCount(count)}`).join(', ')}.`,
    html`<div class="panel">${sortableTable('Findings', ['Event', 'Count', 'Kind', 'What'], rows, [2, 3])}</div>`,
  );
}

/** What `iorr analyze pri` found, for a page. */
export function priChapter(result: PriResult, file: string): Chapter {
  return {
    command: 'analyze pri',
    file,
    lead: lead(result, file),
    caveats: result.caveats,
    parts: partsOf(
      latencySection(result),
      occupancySection(result),
      answerSection(result),
      pagesSection(result),
      oddSection(result),
    ),
    basis: [],
    parameters: [],
    charts: null,
  };
}

/** The page of `iorr analyze pri`: one file that opens anywhere. */
export function priHtml(result: PriResult, page: AnalysisPage): string {
  return chapterPage(priChapter(result, page.file), page);
}
