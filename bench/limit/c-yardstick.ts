import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';

/** What the C program counted in one round, and the CPU time of its median round. */
export interface YardstickRun {
  readonly cpuNs: number;
  readonly hit: number;
  readonly miss: number;
  readonly walk: number;
  readonly fault: number;
  readonly inv: number;
  readonly cmd: number;
  /** A decimal number of up to 64 bits. */
  readonly sum: string;
}

export const HAS_COMPILER: boolean = spawnSync('cc', ['--version']).status === 0;

/** The source, beside this module or, for the built one, where it was built from. */
function source(): string {
  const beside = join(import.meta.dirname, 'yardstick.c');
  return existsSync(beside) ? beside : join(import.meta.dirname, '../../../bench/limit/yardstick.c');
}

/** Compiles the yardstick into a folder; returns its path. Throws `USAGE` without a C compiler. */
export function buildYardstick(folder: string): string {
  if (!HAS_COMPILER) throw new IorrError('USAGE', 'a C compiler expected', { hint: 'install cc: apt-get install gcc' });
  const path = join(folder, 'yardstick');
  execFileSync('cc', ['-O3', '-march=native', '-o', path, source()]);
  return path;
}

/** Runs it on `NAME.ev` and `NAME.map`, one round to warm up and then so many. */
export function runYardstick(path: string, name: string, rounds: number): YardstickRun {
  return JSON.parse(execFileSync(path, [name, String(rounds)], { encoding: 'utf8' })) as YardstickRun;
}
