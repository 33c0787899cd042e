import { formatDecimal } from '../../analyzers/report/format-units.ts';
import { summaryText } from '../validate/line-table.ts';
import { holds } from '../validate/line.ts';
import type { PublishedFigure, ValidationLine, ValidationSection } from '../validate/line.ts';
import { SECTIONS } from '../validate/sections.ts';
import { markdownTable } from './page-parts.ts';

/** Significant digits of figures. */
const DIGITS = 4;

function publishedText(figure: PublishedFigure): string {
  if (typeof figure === 'number') return formatDecimal(figure, DIGITS);
  return `${formatDecimal(figure[0], 3)} to ${formatDecimal(figure[1], 3)}`;
}

const percent = (share: number | undefined): string => (share === undefined ? '' : `${(share * 100).toFixed(1)} %`);

/** One line of the validation as cells. */
export function validationCells(line: ValidationLine): readonly string[] {
  const { error, tolerance, predicted } = line;
  const judged = error !== undefined && tolerance !== undefined;
  return [
    line.what,
    line.unit,
    publishedText(line.published),
    predicted === undefined ? '' : formatDecimal(predicted, DIGITS),
    percent(error),
    percent(tolerance),
    judged ? (holds(line) ? 'yes' : '**no**') : '',
    line.status,
  ];
}

function sectionTable(section: ValidationSection, lines: readonly ValidationLine[]): string {
  const head = ['figure', 'unit', 'published', 'model', 'error', 'allowed', 'holds', 'status'];
  const table = markdownTable(head, lines.map(validationCells));
  return `### ${section.name}. ${section.title}\n\nPublished: ${section.source}.\n\n${table}`;
}

/** All lines of a whole run, by section: takes a minute. */
export async function validationTables(): Promise<string> {
  const tables: string[] = [];
  const all: ValidationLine[] = [];
  for (const section of SECTIONS) {
    const lines = await section.run(false);
    all.push(...lines);
    tables.push(sectionTable(section, lines));
  }
  const summary = summaryText(all).trim();
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.\n\n${tables.join('\n')}`;
}
