import { printable } from '../report/escape.ts';
import { formatCount, formatNs, formatNumberOf } from '../report/format-units.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import type { LatencyResult } from './latency.ts';
import type { SpanBin, SpanReport } from './span-kinds.ts';

const COLUMNS = 100;
const NAME_WIDTH = 36;
/** Rows of one kind; JSON has all. */
const SHOWN = 12;
const BARS = ' ▁▂▃▄▅▆▇█';

/** The median of each part of the trace, as a line of bars; a part without spans is blank. Logarithmic: a step is a factor. */
export function medianBars(bins: readonly SpanBin[], width = 30): string {
  const group = Math.max(1, Math.ceil(bins.length / width));
  const medians: number[] = [];
  for (let i = 0; i < bins.length; i += group) {
    const some = bins.slice(i, i + group).filter((bin) => bin.count > 0);
    medians.push(some.length === 0 ? 0 : Math.max(...some.map((bin) => bin.p50)));
  }
  const known = medians.filter((ns) => ns > 0).map(Math.log);
  if (known.length === 0) return '';
  const low = Math.min(...known);
  const high = Math.max(...known);
  return medians
    .map((ns) => {
      if (ns === 0) return BARS[0];
      const share = high === low ? 0.5 : (Math.log(ns) - low) / (high - low);
      return BARS[1 + Math.round(share * (BARS.length - 2))];
    })
    .join('')
    .trimEnd();
}

function table(title: string, spans: readonly SpanReport[]): string {
  const rows = spans
    .slice(0, SHOWN)
    .map(({ name, count, ns, sumNs, bins }) => [
      printable(name, NAME_WIDTH),
      formatCount(count),
      formatNs(ns.p50),
      formatNs(ns.p95),
      formatNs(ns.p99),
      formatNs(ns.max),
      formatNs(sumNs),
      medianBars(bins, 20),
    ]);
  const more = spans.length > SHOWN ? `${formatNumberOf(spans.length - SHOWN, 'more row')}: --json` : '';
  const laidOut = layOut({
    head: [title, 'Count', 'P50', 'P95', 'P99', 'Longest', 'Sum', 'Median over time'],
    rows,
    align: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
  });
  return more === '' ? laidOut : `${laidOut}\n${more}`;
}

function faultLine(faults: NonNullable<LatencyResult['faults']>): string {
  const { requests, groups, responses, unanswered, orphans, givenUp } = faults;
  const parts = [
    formatNumberOf(requests, 'page request'),
    formatNumberOf(groups, 'group'),
    formatNumberOf(responses, 'response'),
    `${formatNumberOf(unanswered, 'group')} without one`,
    `${formatNumberOf(orphans, 'response')} to nothing that was seen`,
    ...(givenUp > 0 ? [`${formatNumberOf(givenUp, 'group')} given up: too many were open`] : []),
  ];
  return wrapText(parts.join(', '), COLUMNS).join('\n');
}

function faultLines(faults: NonNullable<LatencyResult['faults']>): string {
  if (faults.spans.length === 0) return faultLine(faults);
  return `${table('Page requests, to the response', faults.spans).trimEnd()}\n${faultLine(faults)}`;
}

export function latencyText(file: string, result: LatencyResult): string {
  const { commands, ioctls, faults } = result;
  const parts = [
    `iorr analyze latency  ${printable(file, 200)}`,
    commands === null
      ? 'Commands: when they were carried out is unknown; import the kernel trace and the log of the hardware together'
      : table('Commands, from submission', commands),
    ioctls === null ? 'Calls: none of known duration' : table('Calls, in the kernel', ioctls),
    ...(faults === null ? [] : [faultLines(faults)]),
  ];
  return `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`;
}
