import Table from 'cli-table3';

export interface PlainTable {
  readonly head: readonly string[];
  /** A row is its cells, or a heading over the whole width. */
  readonly rows: readonly (readonly string[] | { readonly heading: string })[];
  /** Columns set to the left, the others to the right; 1 unless given. */
  readonly left?: number;
  /** Each column's side, where the columns to the left are not the first ones. */
  readonly align?: readonly ('left' | 'right')[];
}

const NONE = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
} as const;

/** Cells without borders, two spaces between columns. No line ends in a space. */
export function layOut(table: PlainTable): string {
  const columns = table.head.length;
  const laidOut = new Table({
    head: [...table.head],
    chars: { ...NONE, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    colAligns: table.head.map((_, i) => table.align?.[i] ?? (i < (table.left ?? 1) ? 'left' : 'right')),
  });
  for (const row of table.rows) {
    if ('heading' in row) laidOut.push([{ content: row.heading, colSpan: columns }]);
    else laidOut.push([...row]);
  }
  return laidOut
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Breaks text at spaces into lines of at most `width` characters; a longer word stays whole. */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}
