import type { ProfileParameter, Standing } from '../../replay/results.ts';
import type { Report } from './envelope.ts';
import { printable } from './escape.ts';
import { formatCount, formatNumberOf } from './format-units.ts';
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

/** Which parameters the model was given: the weak ones by name, the others by number. */
export function standingLines(
  parameters: readonly ProfileParameter[],
  paint: Paint,
  columns: number,
): readonly string[] {
  const of = (standing: Standing): readonly string[] =>
    parameters.filter((parameter) => parameter.standing === standing).map((parameter) => printable(parameter.name, 60));
  const parts = (['assumed', 'fitted', 'published', 'measured'] as const).flatMap((standing) => {
    const names = of(standing);
    if (names.length === 0) return [];
    const count = formatNumberOf(names.length, `${standing} parameter`);
    return [standing === 'assumed' || standing === 'fitted' ? `${count} (${names.join(', ')})` : count];
  });
  if (parts.length === 0) return [];
  return wrapText(`Rests on ${parts.join(', ')}.`, columns).map((line) => paint.faint(line));
}
