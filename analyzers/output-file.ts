import { closeSync, existsSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { IorrError } from '../traces/errors.ts';

/** A file that a command writes beside what it prints. */
export interface Output {
  readonly path: string;
  readonly descriptor: number;
  /** The run made the file: it goes away if nothing is written. */
  readonly made: boolean;
  written: boolean;
}

/** Opened before the run, so that a bad path fails before the work; what the file held stays until there is something new. */
export function openOutput(path: string): Output {
  try {
    const made = !existsSync(path);
    return { path, descriptor: openSync(path, 'a'), made, written: false };
  } catch (error) {
    throw new IorrError('FILE_UNWRITABLE', error instanceof Error ? error.message : String(error), {
      place: { file: path },
      hint: 'check the folder and its permissions',
      cause: error,
    });
  }
}

/** Takes the file away again if nothing was written and the run made it. */
export function closeOutput(output: Output): void {
  closeSync(output.descriptor);
  if (output.made && !output.written) unlinkSync(output.path);
}

/** Throws `FILE_UNWRITABLE`. */
export function writeAll(output: Output, text: string): void {
  const bytes = Buffer.from(text);
  output.written = true;
  try {
    ftruncateSync(output.descriptor, 0);
    for (let at = 0; at < bytes.length; ) at += writeSync(output.descriptor, bytes, at);
  } catch (error) {
    throw new IorrError('FILE_UNWRITABLE', error instanceof Error ? error.message : String(error), {
      place: { file: output.path },
      cause: error,
    });
  }
}
