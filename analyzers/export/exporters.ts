import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import { csvExporter } from './csv.ts';
import type { Exporter } from './exporter.ts';
import { ndjsonExporter } from './ndjson.ts';
import { parquetExporter } from './parquet.ts';
import { perfettoExporter } from './perfetto/perfetto.ts';

/** All formats that traces are exported to. */
export const EXPORTERS: readonly Exporter[] = [perfettoExporter, parquetExporter, csvExporter, ndjsonExporter];

/** The formats of `a,b,c`, each once. Throws `USAGE` with the nearest name. */
export function exportersNamed(text: string): readonly Exporter[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '');
  const known = EXPORTERS.map(({ name }) => name);
  if (names.length === 0) {
    throw new IorrError('USAGE', '--to names no format', { hint: `for example --to ${known.join(',')}` });
  }
  return names.map((name) => {
    const exporter = EXPORTERS.find((candidate) => candidate.name === name);
    if (exporter !== undefined) return exporter;
    const meant = nearest(name, known);
    throw new IorrError(
      'USAGE',
      `--to: there is no format ${JSON.stringify(name)}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      { hint: `formats are ${known.join(', ')}` },
    );
  });
}
