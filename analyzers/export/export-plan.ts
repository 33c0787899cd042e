import { basename, join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { Exporter } from './exporter.ts';

/** One file of an export. */
export interface PlannedFile {
  readonly exporter: Exporter;
  /** The streams that go into it: one, of a format with a file for each. */
  readonly streams: readonly StreamName[];
  /** Its path; `-` is stdout. */
  readonly path: string;
}

/** `run` of `/tmp/run.iorr`. */
function nameOf(file: string): string {
  return file === '-' ? 'trace' : basename(file).replace(/\.iorr$/, '');
}

function filesOf(exporter: Exporter, streams: readonly StreamName[]): readonly (readonly StreamName[])[] {
  return exporter.perStream ? streams.map((stream) => [stream]) : [streams];
}

/**
 * Which files an export writes. `output` is the file where there is one, else the folder of all, made if it is not there; without it
 * the file, or the folder, is named after the trace and comes into the working directory. Throws `USAGE` where a single
 * file can't hold what is asked for.
 */
export function planExport(
  exporters: readonly Exporter[],
  streams: readonly StreamName[],
  file: string,
  output: string | undefined,
): readonly PlannedFile[] {
  const files = exporters.flatMap((exporter) =>
    filesOf(exporter, streams).map((some) => ({ exporter, streams: some })),
  );
  const [only] = files;
  const single = exporters.length === 1 && files.length === 1 && only !== undefined ? only : undefined;
  if (output?.endsWith('.gz') === true) {
    throw new IorrError('USAGE', `${output}: exports are not compressed here`, { hint: `-o - | gzip > ${output}` });
  }
  const suffixed = exporters.find(({ extension }) => output?.endsWith(`.${extension}`) === true);
  if (output === '-' || suffixed !== undefined) {
    if (single !== undefined) return [{ ...single, path: output ?? '-' }];
    throw new IorrError(
      'USAGE',
      `${output === '-' ? 'stdout' : output} is one file, and these are ${files.length}: ${exporters.map(({ name }) => name).join(', ')}${
        exporters.some(({ perStream }) => perStream) ? ` of ${streams.join(', ')}, a table for each stream` : ''
      }`,
      { hint: `one of them (--stream ${streams[0] ?? 'inv'}), or a folder: -o ${nameOf(file)}-export` },
    );
  }
  const folderLike = output?.endsWith('/') === true;
  if (single !== undefined && !folderLike) {
    const { exporter } = single;
    const stream = exporter.perStream ? `.${single.streams[0] ?? ''}` : '';
    return [{ ...single, path: output ?? `${nameOf(file)}${stream}.${exporter.extension}` }];
  }
  const folder = output ?? `${nameOf(file)}-export`;
  return files.map(({ exporter, streams: some }) => ({
    exporter,
    streams: some,
    path: join(folder, `${exporter.perStream ? (some[0] ?? '') : nameOf(file)}.${exporter.extension}`),
  }));
}
