/** Results keep numbers by name in these; sorted, so that the order in which a run met the names does not show. */
const NAME_MAPS: ReadonlySet<string> = new Set(['commandsByType', 'reasons', 'byKind', 'byPart', 'options']);

/** Plain data: numbers finite (`null` for what is not), typed arrays as arrays, 64-bit values as hex strings. */
function plain(value: unknown, key: string): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => plain(item, ''));
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Array.from(value as unknown as ArrayLike<number | bigint>, (item) => plain(item, ''));
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (NAME_MAPS.has(key)) entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, plain(item, name)]));
}

/** As JSON allows, but without the characters that steer a terminal or turn text around: written as `\\u009b`. */
function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Indented, with arrays of numbers and short texts on one line: a series takes a line, not a screen. */
function print(value: unknown, indent: string): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object' || item === null)) {
      return `[${value.map((item) => print(item, '')).join(', ')}]`;
    }
    return `[\n${value.map((item) => inner + print(item, inner)).join(',\n')}\n${indent}]`;
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return '{}';
  return `{\n${entries.map(([name, item]) => `${inner}${quote(name)}: ${print(item, inner)}`).join(',\n')}\n${indent}}`;
}

/** The `--json` text of any document, one line feed at its end. */
export function toJson(document: object): string {
  return `${print(plain(document, ''), '')}\n`;
}
