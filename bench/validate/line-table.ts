import { formatDecimal } from '../../analyzers/report/format-units.ts';
import { layOut, wrapText } from '../../analyzers/report/plain-table.ts';
import { holds } from './line.ts';
import type { PublishedFigure, ValidationLine, ValidationSection } from './line.ts';

const WIDTH = 130;

/** A section for people: each line, whether it holds, what was fitted on what, and what all of it says. */
export function sectionText(section: ValidationSection, lines: readonly ValidationLine[]): string {
  const { name, title, source } = section;
  const table = layOut({
    head: ['', 'unit', 'published', 'model', 'error', 'allowed', 'holds', 'status', 'fitted on'],
    align: ['left', 'left', 'right', 'right', 'right', 'right', 'left', 'left', 'left'],
    rows: lines.map((line) => [
      line.what,
      line.unit,
      published(line.published),
      line.predicted === undefined ? '-' : formatDecimal(line.predicted, 4),
      line.error === undefined ? '-' : percent(line.error),
      line.tolerance === undefined ? '-' : percent(line.tolerance),
      line.error === undefined || line.tolerance === undefined ? '-' : holds(line) ? 'yes' : 'NO',
      line.status,
      line.fittedOn.length === 0 ? '-' : line.fittedOn.join(', '),
    ]),
  });
  const reasons = [...byReason(lines)].map(([why, ids]) => {
    const shown = ids.slice(0, 4).join(', ');
    return `${shown}${ids.length > 4 ? ` and ${ids.length - 4} more` : ''}: ${why}`;
  });
  const parts = [`${name}. ${title}`, ...wrapped([source], ''), '', table, '', ...wrapped(reasons, '- ')];
  const notes = section.notes?.(lines) ?? [];
  return [...parts, ...(notes.length > 0 ? ['', ...wrapped(notes, '* ')] : []), ''].join('\n');
}

/** Lines that give the same reason are told together. */
function byReason(lines: readonly ValidationLine[]): ReadonlyMap<string, readonly string[]> {
  const reasons = new Map<string, string[]>();
  for (const { id, why } of lines) {
    const ids = reasons.get(why);
    if (ids === undefined) reasons.set(why, [id]);
    else ids.push(id);
  }
  return reasons;
}

/** How many lines of each kind there are, and how many hold. */
export function summaryText(lines: readonly ValidationLine[]): string {
  const checked = lines.filter(({ error, tolerance }) => error !== undefined && tolerance !== undefined);
  const held = (status: string): string => {
    const some = checked.filter((line) => line.status === status);
    return `${some.filter(holds).length} of ${some.length} ${status}`;
  };
  const others = ['input', 'out-of-scope'].map((status) => {
    return `${lines.filter((line) => line.status === status).length} ${status}`;
  });
  return `within their tolerance: ${held('predicted')}, ${held('fitted')}; ${others.join(', ')}\n`;
}

function published(figure: PublishedFigure): string {
  if (typeof figure === 'number') return formatDecimal(figure, 4);
  return `${formatDecimal(figure[0], 3)} to ${formatDecimal(figure[1], 3)}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

function wrapped(texts: readonly string[], mark: string): readonly string[] {
  return texts.flatMap((text) =>
    wrapText(text, WIDTH).map((line, i) => `${i === 0 ? mark : ' '.repeat(mark.length)}${line}`),
  );
}
