import { markdownTable } from './page-parts.ts';

/** A row of the table in `traces/corpus/PROVENANCE.md`, whose counts tests compare with what `iorr verify` says. */
interface CorpusRow {
  readonly file: string;
  readonly checked: { readonly [kind: string]: number };
}

function corpusRows(provenance: string): readonly CorpusRow[] {
  const lines = provenance.split('\n').filter((line) => line.startsWith('|'));
  const cells = (line: string): string[] =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
  const head = lines.map(cells).find((row) => row[0] === 'file');
  if (head === undefined) throw new RangeError('a table of files expected');
  return lines.map(cells).flatMap((row) => {
    const file = /^`(.+\.iorr)`$/.exec(row[0] ?? '')?.[1];
    if (file === undefined) return [];
    const checked = Object.fromEntries(
      head.flatMap((title, i) => (title.endsWith(' checked') ? [[title.slice(0, -8), Number(row[i])]] : [])),
    );
    return [{ file, checked }];
  });
}

/** What `iorr verify` compares on each trace of the corpus; those with nothing to compare are left out. */
export function corpusChecks(provenance: string): string {
  const rows = corpusRows(provenance).filter(({ checked }) => Object.values(checked).some((count) => count > 0));
  const kinds = Object.keys(rows[0]?.checked ?? {});
  const count = (value: number): string => (value === 0 ? '' : value.toLocaleString('en-US'));
  const sums = kinds.map((kind) => count(rows.reduce((sum, { checked }) => sum + (checked[kind] ?? 0), 0)));
  const table = rows.map(({ file, checked }) => [
    `\`iorr verify traces/corpus/${file}\``,
    ...kinds.map((kind) => count(checked[kind] ?? 0)),
    '0',
  ]);
  return markdownTable(
    ['command', ...kinds.map((kind) => `\`${kind}\``), 'diverged'],
    [...table, ['all', ...sums, '0']],
  );
}
