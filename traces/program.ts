import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { IorrError } from './errors.ts';
import { nearest } from './nearest.ts';

/** Programs that npm starts, beside the command `iorr`: how they read their options, and how they end. */

type Parsed<T extends ParseArgsConfig> = ReturnType<typeof parseArgs<T>>;

/** Throws `USAGE` with one line for options that are not there, have no value, or one too many. */
export function programOptions<T extends ParseArgsConfig>(config: T): Parsed<T> {
  try {
    return parseArgs(config);
  } catch (error) {
    const known = Object.keys(config.options ?? {}).map((name) => `--${name}`);
    const text = error instanceof Error ? error.message : String(error);
    const [, unknown] = /^Unknown option '([^']*)'/.exec(text) ?? [];
    if (unknown === undefined) throw new IorrError('USAGE', (text.split(/\n|\. /, 1)[0] ?? '').replace(/\.$/, ''));
    const near = nearest(unknown, known);
    const hint =
      known.length === 0
        ? 'it takes none'
        : near === undefined
          ? `it takes ${known.join(', ')}`
          : `did you mean ${near}?`;
    throw new IorrError('USAGE', `unknown option ${unknown}`, { hint });
  }
}

/** A whole number of at least `least`. Throws `USAGE`. */
export function programNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value;
  throw new IorrError('USAGE', `--${name} ${text}: a whole number from ${least} on expected`);
}

/** Those of the names that were asked for, with commas. Throws `USAGE` for others. */
export function programNames(what: string, asked: readonly string[], known: readonly string[]): readonly string[] {
  const names = asked.flatMap((text) => text.split(','));
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return names;
  throw new IorrError('USAGE', `no ${what} ${unknown.join(', ')}; there are ${known.join(', ')}`);
}

/**
 * Runs a program to its exit code. What it can't do is told in a line on stderr, with the exit code that `exitOf` gives for it; a
 * fault of ours with all there is.
 */
export async function programExit(
  name: string,
  run: () => Promise<number>,
  exitOf: (error: IorrError) => number = (error) => error.exitCode,
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof IorrError)) throw error;
    process.stderr.write(`${name}: ${error.message}${error.hint === '' ? '' : `: ${error.hint}`}\n`);
    return exitOf(error);
  }
}
