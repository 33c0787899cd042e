/**
 * Text that comes from a trace is hostile until shown to be harmless: task marks, event names, file names. Every renderer
 * passes such text through one of these, and through nothing else.
 */

/** Longest text shown as it is; a longer one is cut and ends in an ellipsis. */
export const MAX_TEXT = 300;

/** C0, DEL, C1 (escape sequences), bidirectional overrides, zero-width and line separators, lone surrogates. */
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function visible(char: string): string {
  const code = char.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** One line without control characters: those become `\x1b`, `\u202e`. At most `limit` characters. */
export function printable(text: string, limit: number = MAX_TEXT): string {
  const cut = text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  return cut.replace(UNPRINTABLE, visible);
}

/** Printable text as a sentence of its own: a capital at its start, a full stop at its end. */
export function sentence(text: string): string {
  const plain = printable(text).trim();
  const capital = /^[a-z]/.test(plain) && !/^\S*[-_.:/\d]/.test(plain);
  return `${capital ? plain.charAt(0).toUpperCase() + plain.slice(1) : plain}${/[.!?…]$/.test(plain) || plain === '' ? '' : '.'}`;
}

const HTML_ENTITIES: { readonly [char: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Safe as the text of an element and inside a quoted attribute. */
export function escapeHtml(text: string, limit: number = MAX_TEXT): string {
  return printable(text, limit).replace(/[&<>"']/g, (char) => HTML_ENTITIES[char] ?? '');
}

/** Safe inside a cell of a GitHub table and in running text: no markup, no HTML, no mention of a user. */
export function escapeMarkdown(text: string, limit: number = MAX_TEXT): string {
  return printable(text, limit).replace(/[&<>"'@\\`*_{}[\]|~#]/g, (char) => {
    if (char === '@') return '&#64;';
    return HTML_ENTITIES[char] ?? `\\${char}`;
  });
}

/** A CSV field (RFC 4180) that no spreadsheet takes for a formula. */
export function csvText(text: string, limit: number = MAX_TEXT): string {
  const plain = printable(text, limit);
  const safe = /^[=+\-@]/.test(plain) ? `'${plain}` : plain;
  return /[",\s]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** JSON that is inert inside a `<script type="application/json">`: it can't close the element or open a comment. */
export function inertJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
