import type { VerifyCounts, VerifyResult } from '../../replay/results.ts';
import type { VerifyReport } from './envelope.ts';
import { printable } from './escape.ts';
import { formatCount, formatNumberOf, formatShare } from './format-units.ts';
import { paintFor } from './paint.ts';
import type { Paint } from './paint.ts';
import { layOut, wrapText } from './plain-table.ts';
import type { RenderOptions } from './renderer.ts';
import { MIN_COLUMNS, caveatLines, healthLines, titleLine } from './terminal-lines.ts';

/** Divergences shown on a terminal; `--json` has the first 100. */
const SHOWN = 12;

function verdict(result: VerifyResult, paint: Paint): string {
  const skipped = result.skipped.count === 0 ? '' : `, ${formatCount(result.skipped.count)} skipped`;
  if (result.checked === 0) return paint.warn(`Nothing to verify${skipped}`);
  if (result.diverged === 0) return paint.good(`All ${formatCount(result.checked)} recorded outcomes agree${skipped}`);
  return paint.bad(
    `${formatCount(result.diverged)} of ${formatNumberOf(result.checked, 'recorded outcome')} ${result.diverged === 1 ? 'diverges' : 'diverge'}${skipped}`,
  );
}

function countsTable(result: VerifyResult, paint: Paint): string {
  const rows: string[][] = [];
  const add = (name: string, counts: VerifyCounts): void => {
    const diverged = formatCount(counts.diverged);
    rows.push([
      name,
      formatCount(counts.checked),
      formatCount(counts.agreed),
      counts.diverged > 0 ? paint.bad(diverged) : diverged,
      formatShare(counts.agreed, counts.checked),
    ]);
  };
  const parts = Object.entries(result.byPart).sort(([a], [b]) => (a < b ? -1 : 1));
  const kinds = Object.entries(result.byKind).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [kind, counts] of kinds) {
    add(kind, counts);
    for (const [part, finer] of parts) if (part.startsWith(`${kind}.`)) add(`  ${printable(part, 40)}`, finer);
  }
  for (const [part, finer] of parts) {
    if (!kinds.some(([kind]) => part.startsWith(`${kind}.`))) add(printable(part, 40), finer);
  }
  return layOut({ head: ['', 'checked', 'agreed', 'diverged', 'agreement'].map((title) => paint.strong(title)), rows });
}

function divergenceLines(result: VerifyResult, paint: Paint, columns: number): readonly string[] {
  const shown = result.divergences.slice(0, SHOWN);
  if (shown.length === 0) return [];
  const more = result.diverged - shown.length;
  const first = shown.map(
    (one) => [`event ${formatCount(one.event)}`, `${one.kind} ${printable(one.what, 24)}`] as const,
  );
  const widths = [0, 1].map((i) =>
    Math.max('Divergences'.length * (1 - i), ...first.map((cells) => cells[i]?.length ?? 0)),
  );
  // What is left of the line, shared by the two values.
  const room = Math.max(40, columns - (widths[0] ?? 0) - (widths[1] ?? 0) - 6);
  const recordedWidth = Math.min(
    Math.ceil(room / 2),
    Math.max(8, ...shown.map((one) => printable(one.recorded).length)),
  );
  const rows = shown.map((one, i) => [
    ...(first[i] ?? []),
    printable(one.recorded, recordedWidth),
    printable(one.model, room - recordedWidth),
  ]);
  const head = ['Divergences', '', 'recorded', 'model'].map((title) => paint.strong(title));
  return ['', layOut({ head, rows, left: 4 }), ...(more > 0 ? [paint.faint(`and ${formatCount(more)} more`)] : [])];
}

export function renderVerify(report: VerifyReport, options: RenderOptions): string {
  const { result } = report;
  const paint = paintFor(options.colour);
  const columns = Math.max(MIN_COLUMNS, options.columns);
  const reasons = Object.entries(result.skipped.reasons).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const notes = caveatLines(report, paint, columns);
  const lines = [titleLine(report, paint), '', ...wrapText(verdict(result, paint), columns)];
  if (result.checked > 0) lines.push('', countsTable(result, paint));
  lines.push(...divergenceLines(result, paint, columns));
  if (reasons.length > 0) {
    const rows = reasons.map(([reason, count]) => [`  ${printable(reason, 60)}`, formatCount(count)]);
    lines.push('', layOut({ head: [paint.strong('Skipped'), ''], rows }));
  }
  if (notes.length > 0) lines.push('', paint.strong('Notes'), ...notes);
  lines.push('', ...healthLines(report, paint));
  return `${lines.join('\n')}\n`;
}
