import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';

/** True if PATH has a program. */
export function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export interface ProgramResult {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end; an abort ends it. Throws `IorrError` RECORDING_FAILED if it can't be started or was aborted. */
export function runProgram(name: string, args: readonly string[], signal: AbortSignal): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
      env: { ...process.env, LC_ALL: 'C' },
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error) => {
      const what = signal.aborted ? 'interrupted' : error.message;
      reject(new IorrError('RECORDING_FAILED', `${name}: ${what}`, { cause: error }));
    });
    child.on('close', (status) => {
      resolve({ status: status ?? 1, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() });
    });
  });
}

/** As `runProgram`, for what must work: throws `IorrError` RECORDING_FAILED with the program's own last words. */
export async function runOrThrow(
  name: string,
  args: readonly string[],
  signal: AbortSignal,
  hint: string,
): Promise<Buffer> {
  const { status, stdout, stderr } = await runProgram(name, args, signal);
  if (status === 0) return stdout;
  const last = stderr.trim().split('\n').slice(-2).join('; ');
  throw new IorrError('RECORDING_FAILED', `${name} ${args.at(-1) ?? ''} ended with ${status}: ${last}`, { hint });
}
