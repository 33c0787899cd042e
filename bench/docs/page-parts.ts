/** `<!-- generated: NAME (npm run docs) -->`, text, `<!-- end -->`: what a program writes into a page that people write. */
function marks(name: string): readonly [begin: string, end: string] {
  return [`<!-- generated: ${name} (npm run docs) -->\n`, '<!-- end -->'];
}

/** Where the text of a part lies in a page. Throws `RangeError` if the page has no such part. */
function place(page: string, name: string): readonly [from: number, to: number] {
  const [begin, end] = marks(name);
  const at = page.indexOf(begin);
  const from = at + begin.length;
  const to = page.indexOf(end, from);
  if (at < 0 || to < 0) throw new RangeError(`no part ${name} in the page`);
  return [from, to];
}

export function readPart(page: string, name: string): string {
  return page.slice(...place(page, name));
}

/** The page with another text in a part; the text ends with a line feed. */
export function withPart(page: string, name: string, text: string): string {
  const [from, to] = place(page, name);
  return `${page.slice(0, from)}${text}${page.slice(to)}`;
}

/** A table; `|` within cells is escaped. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')}\n`;
}
