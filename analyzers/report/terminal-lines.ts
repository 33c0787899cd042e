import type { ProfileParameter } from '../../replay/results.ts';
import type { Report } from './envelope.ts';
import { printable } from './escape.ts';
import { formatCount } from './format-units.ts';
import { caveatsOf, healthSummary } from './health-lines.ts';
import type { Paint } from './paint.ts';
import { wrapText } from './plain-table.ts';

/** Narrower terminals get lines that are too long rather than a table that can't be read. */
export const MIN_COLUMNS = 40;

/** `iorr compare  run.iorr`, the file names printable. */
export function titleLine(report: Report, paint: Paint): string {
  const files = report.input.map((input) => printable(input.file, 120)).join(', ');
  return `${paint.strong(`iorr ${report.command}`)}  ${files}`;
}

/** What limits the figures: caveats of the run, then what the trace lost. Empty where nothing does. */
export function caveatLines(report: Report, paint: Paint, columns: number): readonly string[] {
  const caveats = caveatsOf(report);
  return caveats.flatMap((text) =>
    wrapText(text, columns - 4).map((line, i) => (i === 0 ? `  ${paint.warn('!')} ${line}` : `    ${line}`)),
  );
}

/** `Health: 0 lost, ...`, and the names of what was lost or not read, at most ten. */
export function healthLines(report: Report, paint: Paint): readonly string[] {
  const { health } = report;
  const shown = health.entries.filter((entry) => entry.kind !== 'ignored').slice(0, 10);
  const rest = health.entries.filter((entry) => entry.kind !== 'ignored').length - shown.length;
  return [
    paint.faint(`Health: ${healthSummary(health)}`),
    ...shown.map((entry) => {
      const where = entry.first[0] === undefined ? '' : `, first at ${printable(entry.first[0], 80)}`;
      return paint.faint(`  ${entry.kind} ${printable(entry.name, 60)}: ${formatCount(entry.count)}${where}`);
    }),
    ...(rest > 0 ? [paint.faint(`  and ${rest} more names`)] : []),
  ];
}

/** Which parameters the model was given, by standing; the weakest first. */
export function standingLines(
  parameters: readonly ProfileParameter[],
  paint: Paint,
  columns: number,
): readonly string[] {
  const lines: string[] = [];
  for (const standing of ['assumed', 'fitted', 'published', 'measured'] as const) {
    const names = parameters.filter((parameter) => parameter.standing === standing).map((p) => printable(p.name, 60));
    if (names.length === 0) continue;
    const text = `Rests on ${standing} parameters: ${names.join(', ')}`;
    lines.push(...wrapText(text, columns).map((line) => paint.faint(line)));
  }
  return lines;
}
