import { escapeMarkdown, printable } from '../report/escape.ts';
import { formatDecimal, formatNs } from '../report/format-units.ts';
import type { Paint } from '../report/paint.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import type { DiffMetricResult, DiffResult, Verdict } from './diff-result.ts';

const MINUS = '\u2212';

/** `+3.00 %`, `×12.0`, `new`; digits enough to see a small change. */
export function changeText(change: number | null): string {
  if (change === null) return 'new';
  if (change === 0) return 'same';
  if (change >= 1) return `×${formatDecimal(change + 1)}`;
  const size = Math.abs(change * 100);
  const sign = change < 0 ? MINUS : '+';
  return size < 0.005 ? '≈' : `${sign}${size.toFixed(size < 10 ? 2 : 1)} %`;
}

function shareText(share: number | null): string {
  return share === null ? '' : `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}

function endText(end: number | null): string {
  if (end === null) return '∞';
  return end === 0 ? '0' : changeText(end);
}

export function intervalText({ interval, basis }: DiffMetricResult): string {
  if (basis === 'exact' || basis === 'identical') return 'exact';
  return interval === null ? 'unknown' : `${endText(interval[0])} … ${endText(interval[1])}`;
}

export function valueText(metric: DiffMetricResult, value: number): string {
  return metric.unit === 'ns' ? formatNs(value) : formatDecimal(value, 4);
}

/** `2 worse, 1 inconclusive, 20 same`. */
export function countVerdicts(metrics: readonly DiffMetricResult[]): string {
  const counts = (['worse', 'better', 'inconclusive', 'same'] as const).flatMap((verdict) => {
    const count = metrics.filter((metric) => metric.verdict === verdict).length;
    return count === 0 ? [] : [`${count} ${verdict}`];
  });
  return counts.length === 0 ? 'nothing to compare' : counts.join(', ');
}

function paintVerdict(verdict: Verdict, paint: Paint): string {
  switch (verdict) {
    case 'worse':
      return paint.bad(verdict);
    case 'better':
      return paint.good(verdict);
    case 'inconclusive':
      return paint.warn(verdict);
    case 'same':
      return paint.faint(verdict);
  }
}

const WIDTH = 100;

export function gateLines({ gate }: DiffResult): readonly string[] {
  if (gate.conditions.length === 0) return ['gate: none asked for'];
  return gate.conditions.map(({ text, state, why }) => `gate ${text}: ${state}; ${why}`);
}

/** What one trace alone has is told; what neither has is one line. */
function missingLines({ missing }: DiffResult): readonly string[] {
  const neither = missing.filter(({ why }) => why.startsWith('neither') && !why.includes(', the'));
  const lines = missing
    .filter((one) => !neither.includes(one))
    .map(({ family, why }) => printable(`not compared: ${family}: ${why}`, 2000));
  if (neither.length > 0) lines.push(`in neither: ${neither.map(({ family }) => family).join(', ')}`);
  return lines.flatMap((line) => wrapText(line, WIDTH));
}

/** For a terminal. */
export function diffText(result: DiffResult, files: readonly [string, string], paint: Paint): string {
  const rows = result.metrics.map((metric) => [
    printable(metric.name),
    valueText(metric, metric.a),
    valueText(metric, metric.b),
    changeText(metric.change),
    intervalText(metric),
    shareText(metric.noise),
    paintVerdict(metric.verdict, paint),
  ]);
  const head = ['', 'A', 'B', 'change', '95 %', 'A/A', 'verdict'];
  const gate = gateLines(result).map((line) => (result.gate.breached ? paint.bad(line) : line));
  return `${[
    paint.strong(`${countVerdicts(result.metrics)} (beyond ${shareText(result.threshold)})`),
    `A  ${printable(files[0])}`,
    `B  ${printable(files[1])}`,
    ...wrapText(`aligned ${result.alignment}`, WIDTH),
    '',
    layOut({ head, rows }),
    '',
    ...missingLines(result),
    ...result.caveats.flatMap((caveat) => wrapText(`! ${printable(caveat, 2000)}`, WIDTH)),
    ...gate.flatMap((line) => wrapText(line, WIDTH)),
  ].join('\n')}\n`;
}

/** For a pull request: one line where nothing matters, a table of what does, and the rest folded away. */
export function diffMarkdown(result: DiffResult, files: readonly [string, string]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const table = (metrics: readonly DiffMetricResult[]): readonly string[] => [
    line(['metric', 'A', 'B', 'change', '95 %', 'A/A', 'verdict']),
    line([':--', '--:', '--:', '--:', '--:', '--:', ':--']),
    ...metrics.map((metric) =>
      line([
        escapeMarkdown(metric.name),
        valueText(metric, metric.a),
        valueText(metric, metric.b),
        changeText(metric.change),
        intervalText(metric),
        shareText(metric.noise),
        metric.verdict === 'worse' ? '**worse**' : metric.verdict,
      ]),
    ),
  ];
  const loud = result.metrics.filter(({ verdict }) => verdict === 'worse' || verdict === 'better');
  const rest = result.metrics.filter((metric) => !loud.includes(metric));
  const open = result.gate.conditions.filter(({ state }) => state === 'inconclusive');
  const title = result.gate.breached
    ? `**iorr diff: gate breached by ${result.gate.metrics.map((name) => escapeMarkdown(name)).join(', ')}**`
    : `iorr diff: ${countVerdicts(result.metrics)} (beyond ${shareText(result.threshold)})`;
  const parts = [title];
  if (loud.length > 0) parts.push('', ...table(loud));
  for (const { text, why } of open) parts.push('', `Inconclusive: ${escapeMarkdown(text)}; ${escapeMarkdown(why)}`);
  const folded = [
    ...(rest.length > 0 ? [...table(rest), ''] : []),
    ...result.missing.map(
      ({ family, why }) => `- not compared: ${escapeMarkdown(family)}: ${escapeMarkdown(why, 2000)}`,
    ),
    ...result.caveats.map((caveat) => `- ${escapeMarkdown(caveat, 2000)}`),
    `- A ${escapeMarkdown(files[0])}, B ${escapeMarkdown(files[1])}; aligned ${escapeMarkdown(result.alignment)}`,
  ];
  parts.push(
    '',
    `<details><summary>${rest.length} more metrics and what they rest on</summary>`,
    '',
    ...folded,
    '',
    '</details>',
  );
  return `${parts.join('\n')}\n`;
}

/** The list that GitHub's benchmark actions read: B's figures, with the change beside them. */
export function diffList(result: DiffResult): string {
  const list = result.metrics.map((metric) => ({
    name: metric.name,
    unit: metric.unit,
    value: metric.b,
    ...(metric.noise === null ? {} : { range: `± ${shareText(metric.noise)}` }),
    extra: `${metric.verdict}: ${changeText(metric.change)} (95 %: ${intervalText(metric)}), ${metric.better} is better`,
  }));
  return `${JSON.stringify(list, null, 2)}\n`;
}
