import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { IorrError } from '../../traces/errors.ts';
import { GuestConsole } from './guest-marks.ts';
import type { GuestMark } from './guest-marks.ts';

export interface GuestRun {
  readonly program: string;
  readonly args: readonly string[];
  /** Takes everything that the guest prints. */
  readonly consoleFile: string;
  readonly limitSeconds: number;
}

/** Lines of the console that an error shows. */
const LAST_LINES = 12;
const KILL_AFTER_SECONDS = 5;

/**
 * Runs a guest to its end; gives what its last mark, `saved`, says. `timeout` ends the emulator even if this process was
 * killed. Throws `IorrError` RECORDING_FAILED: the guest gave up, hung, died, or an abort came.
 */
export async function runGuest(
  run: GuestRun,
  signal: AbortSignal,
  onMark: (mark: GuestMark) => void,
): Promise<{ readonly savedBytes: number }> {
  const last: string[] = [];
  let savedBytes: number | undefined;
  let failed: string | undefined;
  const guest = new GuestConsole(
    (mark) => {
      if (mark.name === 'saved') savedBytes = Number(mark.text);
      if (mark.name === 'failed') failed ??= mark.text;
      onMark(mark);
    },
    (line) => {
      last.push(line);
      if (last.length > LAST_LINES) last.shift();
    },
  );
  const file = createWriteStream(run.consoleFile);
  const limit = ['-k', String(KILL_AFTER_SECONDS), String(run.limitSeconds), 'nice', '-n', '10'];
  const child = spawn('timeout', [...limit, run.program, ...run.args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    file.write(chunk);
    guest.push(chunk.toString('latin1'));
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000);
  });
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    const problem = signal.aborted ? 'interrupted' : (failed ?? problemOf(status, savedBytes, run.limitSeconds));
    if (problem === undefined) return { savedBytes: savedBytes ?? 0 };
    const said = [...complaint.trim().split('\n'), ...last].filter((line) => line !== '').map((line) => `\n  ${line}`);
    throw new IorrError('RECORDING_FAILED', `the guest: ${problem}${said.join('')}`, {
      hint: '--keep leaves its console and disks among the results',
    });
  } finally {
    signal.removeEventListener('abort', stop);
    child.kill('SIGKILL');
    file.end();
  }
}

/** 124 and 137 are `timeout`'s own. */
function problemOf(status: number | null, savedBytes: number | undefined, limit: number): string | undefined {
  if (status === 124 || status === 137) return `not done after ${limit} s`;
  if (status !== 0) return `the emulator ended with ${status ?? 'a signal'}`;
  return savedBytes === undefined || !(savedBytes > 0) ? 'it ended before it had saved anything' : undefined;
}
