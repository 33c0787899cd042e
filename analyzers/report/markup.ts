import { escapeHtml } from './escape.ts';

/** HTML that is known to be well-formed and safe. Only `html` and `trusted` make it. */
export interface Markup {
  readonly markup: string;
}

type Part = Markup | string | number | null | readonly Part[];

function written(part: Part): string {
  if (part === null) return '';
  if (typeof part === 'string') return escapeHtml(part);
  if (typeof part === 'number') return String(part);
  return 'markup' in part ? part.markup : part.map(written).join('');
}

/** HTML in which every value that is put in is escaped, unless it is markup already; `null` is nothing. */
export function html(fixed: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { markup: fixed.map((text, i) => text + written(parts[i] ?? null)).join('') };
}

/** Text of our own that is put in as it is: a style sheet, a script, embedded JSON. Never text of a trace. */
export function trusted(text: string): Markup {
  return { markup: text };
}
