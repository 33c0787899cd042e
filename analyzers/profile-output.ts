import { closeSync, existsSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { IorrError } from '../traces/errors.ts';

interface Output {
  readonly path: string;
  readonly descriptor: number;
  readonly made: boolean;
}

/** Opened before the run, so that a bad path fails before the work. */
function openOutput(path: string): Output {
  try {
    const made = !existsSync(path);
    return { path, descriptor: openSync(path, 'a'), made };
  } catch (error) {
    throw new IorrError('FILE_UNWRITABLE', error instanceof Error ? error.message : String(error), {
      place: { file: path },
      hint: 'check the folder and its permissions',
      cause: error,
    });
  }
}

/** Writes the profile that `make` returns, or takes an empty file away again. False: there was none. */
export async function withOutput(path: unknown, make: () => Promise<string | undefined>): Promise<boolean> {
  const output = typeof path === 'string' ? openOutput(path) : undefined;
  let text: string | undefined;
  try {
    text = await make();
    if (output !== undefined && text !== undefined) {
      ftruncateSync(output.descriptor, 0);
      writeSync(output.descriptor, text);
    }
  } finally {
    if (output !== undefined) {
      closeSync(output.descriptor);
      if (text === undefined && output.made) unlinkSync(output.path);
    }
  }
  return text !== undefined;
}
