import { join } from 'node:path';
import type { BuiltKernel } from './kernel/build-kernel.ts';
import type { LabWork } from './lab-work.ts';
import { runOrThrow } from './programs.ts';

/** What compiles the programs of a guest, by the Debian packages that have it. */
export const COMPILER: readonly (readonly [program: string, debian: string])[] = [['gcc', 'gcc']];

/**
 * The programs that a work wants in its guest: each a file by its name. Linked statically: the
 * guest's own libraries may be of another release. Throws `IorrError` RECORDING_FAILED.
 */
export async function compilePrograms(
  work: LabWork,
  kernel: BuiltKernel | undefined,
  project: string,
  scratch: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const { name, source } of work.programs()) {
    const to = join(scratch, name);
    const path = join(project, 'recorder', 'lab', 'programs', source);
    const headers = kernel === undefined ? [] : ['-isystem', kernel.include];
    const flags = ['-static', '-O2', '-Wall', '-D_GNU_SOURCE', ...headers];
    const hint = 'apt-get install --no-install-recommends gcc libc6-dev linux-libc-dev';
    await runOrThrow('gcc', [...flags, '-o', to, path], signal, hint);
    found.set(name, to);
  }
  return found;
}
