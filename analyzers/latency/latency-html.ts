import type { AnalysisPage } from '../analysis.ts';
import { chapterPage } from '../report/chapter-page.ts';
import { leadOf, partOf, partsOf } from '../report/chapter.ts';
import type { Chapter, Lead, PagePart } from '../report/chapter.ts';
import { formatCount, formatNs, formatNumberOf } from '../report/format-units.ts';
import { sortableTable } from '../report/html-parts.ts';
import { lineFigure, timeAxis } from '../report/line-chart.ts';
import type { DrawnLine } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import type { LatencyResult } from './latency.ts';
import type { SpanBin, SpanReport } from './span-kinds.ts';

/** Rows of a table, and names in a picture; JSON has all. */
const SHOWN = 200;
const DRAWN = 6;

/** What took longest in all, of everything. */
function longest({ commands, ioctls, faults }: LatencyResult): SpanReport | undefined {
  const requests = (faults?.spans ?? []).map((span) => ({ ...span, name: `Page requests of ${span.name}` }));
  const all = [...(commands ?? []), ...(ioctls ?? []), ...requests];
  return all.sort((a, b) => b.sumNs - a.sumNs)[0];
}

function lead(result: LatencyResult, file: string): Lead {
  const most = longest(result);
  const { binNs, faults } = result;
  const title =
    most === undefined
      ? 'Nothing of known duration'
      : `${most.name}: P50 ${formatNs(most.ns.p50)}, P99 ${formatNs(most.ns.p99)}, ${formatNs(most.sumNs)} in all`;
  return leadOf(title, [
    ['Trace', file],
    ['Duration', formatNs(binNs * (most?.bins.length ?? 0))],
    ...(faults === null ? [] : [['Page requests', formatCount(faults.requests)] as const]),
  ]);
}

function overTime(
  spans: readonly SpanReport[],
  startNs: number,
  binNs: number,
  value: (bin: SpanBin) => number,
): readonly DrawnLine[] {
  return spans.slice(0, DRAWN).flatMap((span, i) => {
    const points = span.bins
      .filter((bin) => bin.count > 0 && value(bin) > 0)
      .map((bin) => [Math.max(startNs, bin.startNs) + binNs / 2, value(bin)] as const);
    return points.length === 0
      ? []
      : [{ label: span.name, style: lineStyle(i, false), points, marks: points.length < 60 }];
  });
}

function section(
  [id, heading, about]: readonly [id: string, heading: string, about: string],
  spans: readonly SpanReport[],
  { startNs, binNs }: LatencyResult,
): PagePart {
  const picture = (name: string, lines: readonly DrawnLine[]): Markup | null =>
    lineFigure(
      name,
      `Of what ended in each ${formatNs(binNs)}${spans.length > DRAWN ? `; the ${DRAWN} that take most in all` : ''}`,
      {
        about: `${name} over time`,
        x: timeAxis(startNs),
        y: { title: 'took', unit: 'ns', log: true, base: 10 },
        lines,
      },
    );
  const rows = sortableTable(
    heading,
    ['Name', 'Count', 'Least', 'P50', 'P90', 'P95', 'P99', 'P99.9', 'Longest', 'Mean', 'Sum'],
    spans
      .slice(0, SHOWN)
      .map(({ name, count, ns, sumNs }) => [
        [name, null],
        [formatCount(count), count],
        ...[ns.min, ns.p50, ns.p90, ns.p95, ns.p99, ns.p999, ns.max, ns.mean, sumNs].map(
          (value) => [formatNs(value), value] as const,
        ),
      ]),
  );
  return partOf(
    id,
    heading,
    html`${about}`,
    html`${picture(
      'Median',
      overTime(spans, startNs, binNs, (bin) => bin.p50),
    )}${picture(
      'P99',
      overTime(spans, startNs, binNs, (bin) => bin.p99),
    )}<div class="panel">${rows}</div>`,
  );
}

function faultFacts({
  requests,
  groups,
  responses,
  unanswered,
  orphans,
  givenUp,
}: NonNullable<LatencyResult['faults']>) {
  return [
    formatNumberOf(requests, 'page request'),
    formatNumberOf(groups, 'group'),
    formatNumberOf(responses, 'response'),
    `${formatNumberOf(unanswered, 'group')} without one`,
    `${formatNumberOf(orphans, 'response')} to nothing that was seen`,
    ...(givenUp > 0 ? [`${formatNumberOf(givenUp, 'group')} given up: too many were open`] : []),
  ].join(', ');
}

/** What `iorr analyze latency` found, for a page. */
export function latencyChapter(result: LatencyResult, file: string): Chapter {
  const { commands, ioctls, faults } = result;
  return {
    command: 'analyze latency',
    file,
    lead: lead(result, file),
    caveats: [],
    parts: partsOf(
      commands === null || commands.length === 0
        ? null
        : section(['commands', 'Commands', 'From submission to the hardware carrying them out.'], commands, result),
      ioctls === null || ioctls.length === 0
        ? null
        : section(['calls', 'Calls', 'Time in the kernel, by request.'], ioctls, result),
      faults === null
        ? null
        : section(
            ['faults', 'Page requests', `From a group’s last request to its response: ${faultFacts(faults)}.`],
            faults.spans,
            result,
          ),
    ),
    basis: [],
    parameters: [],
    charts: null,
  };
}

/** The page of `iorr analyze latency`: one file that opens anywhere. */
export function latencyHtml(result: LatencyResult, page: AnalysisPage): string {
  return chapterPage(latencyChapter(result, page.file), page);
}
