import { mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import type { InputFile } from './open-input.ts';

/** Throws `IorrError` FILE_UNWRITABLE if the output is one of the inputs, by whatever path. */
export function checkOutput(output: string, inputs: readonly InputFile[]): void {
  if (output === '-') return;
  const status = statSync(output, { throwIfNoEntry: false });
  if (status === undefined || !status.isFile()) return;
  const identity = `${status.dev}:${status.ino}`;
  const same = inputs.find((input) => input.identity === identity);
  if (same === undefined) return;
  throw new IorrError('FILE_UNWRITABLE', `it is the input ${same.name}`, {
    place: { file: output },
    hint: 'name another file with -o: a capture is never overwritten',
  });
}

/**
 * Where a run's temporary traces go. Beside a regular output, so that the last one can take its place by a rename; in a
 * folder of their own where the output is stdout, a pipe or a device, which nothing may replace or remove.
 */
export class OutputPlace {
  /** The output, symbolic links followed. */
  readonly path: string;
  /** It is a regular file, or will be. */
  readonly regular: boolean;
  #folder: string | undefined;
  readonly #parts: string[] = [];

  constructor(output: string) {
    const status = output === '-' ? undefined : statSync(output, { throwIfNoEntry: false });
    this.regular = output !== '-' && (status === undefined || status.isFile());
    this.path = this.regular && status !== undefined ? realpathSync(output) : output;
  }

  /** Path for a temporary file. */
  part(what: string): string {
    let path: string;
    if (this.regular) path = `${this.path}.${what}.part`;
    else {
      this.#folder ??= mkdtempSync(join(tmpdir(), 'iorr-import-'));
      path = join(this.#folder, what);
    }
    this.#parts.push(path);
    return path;
  }

  /** Removes an output that holds nothing. */
  discard(): void {
    if (this.regular) rmSync(this.path, { force: true });
  }

  /** Removes what is left of the temporary files. */
  clean(): void {
    for (const path of this.#parts) rmSync(path, { force: true });
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}
