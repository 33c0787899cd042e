import { availableParallelism } from 'node:os';
import { EncodingThread } from '../../traces/encoding-thread.ts';
import { importSources } from './import-run.ts';
import type { ImportOutcome } from './import-run.ts';
import { openSource } from './import-source.ts';
import type { ImportSource } from './import-source.ts';
import { openInput } from './open-input.ts';
import type { InputFile } from './open-input.ts';
import { checkOutput } from './output-path.ts';

/** Bytes of files as they are stored. A thread's code takes some tenths of a second to become fast. */
const WORTH_A_THREAD = 64 * 2 ** 20;

/** How captures are imported; what is absent is found out, or left alone. */
export interface ImportFilesOptions {
  /** Name of the importer, where detection is not to be trusted. */
  readonly format?: string | undefined;
  /** Keep kernel events that no stream is for. */
  readonly allEvents?: boolean;
  /** Release of the captured kernel, where the captures can't say it; it wins over what they say. */
  readonly kernel?: string | undefined;
  /**
   * Threads that may work at a time: with more than one, blocks are encoded beside reading. Absent: as many as there are CPUs where
   * the files are long enough for a second one to pay.
   */
  readonly jobs?: number | undefined;
  readonly signal?: AbortSignal;
  /** Told of bytes read and of bytes in all; in all 0 where an input does not know. */
  readonly progress?: (bytes: number, total: number) => void;
}

/**
 * Imports captures into a trace at `output`; several are one run and are joined. All are opened before anything is written: what
 * can't be read must not cost an existing output. `-` is stdin or stdout. Throws `IorrError` FILE_UNREADABLE, FORMAT_UNKNOWN,
 * JOIN_IMPOSSIBLE, FILE_UNWRITABLE.
 */
export async function importFiles(
  files: readonly string[],
  output: string,
  options: ImportFilesOptions = {},
): Promise<ImportOutcome> {
  const { signal = new AbortController().signal, progress } = options;
  const inputs: InputFile[] = [];
  const sources: ImportSource[] = [];
  try {
    for (const file of files) inputs.push(await openInput(file, signal));
    checkOutput(output, inputs);
    for (const input of inputs) {
      sources.push(withKernel(await openSource(input, options.format, options.allEvents ?? false), options.kernel));
    }
    const sizes = inputs.map((input) => input.size);
    const total = sizes.includes(0) ? 0 : sizes.reduce((sum, size) => sum + size, 0);
    const jobs = options.jobs ?? (total >= WORTH_A_THREAD ? availableParallelism() : 1);
    return await importSources(sources, output, {
      signal,
      onProgress: () =>
        progress?.(
          inputs.reduce((sum, input) => sum + input.read(), 0),
          total,
        ),
      ...(jobs > 1 ? { pipeline: (compression) => new EncodingThread(compression) } : {}),
    });
  } finally {
    for (const source of sources) await source.close();
    for (const input of inputs) await input.close();
  }
}

function withKernel(source: ImportSource, kernel: string | undefined): ImportSource {
  if (kernel === undefined) return source;
  const { header } = source;
  return { ...source, header: { ...header, host: { ...header.host, kernel } } };
}
