import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The built command, beside which everything is tested as users run it. */
export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** Bytes in the order in which a process gets them on stdin, with a pause after each. */
export interface Feed {
  readonly chunks: readonly Uint8Array[];
  readonly pauseMs: number;
}

export interface Kill {
  /** False if it had ended by itself before. */
  readonly killed: boolean;
  /** Chunks that had been handed over, and when (ms after the first), up to the kill. */
  readonly fedAt: readonly number[];
  /** When the kill came, on the same clock. */
  readonly killedAt: number;
}

/**
 * Starts `iorr ARGS`, waits until it has begun to write `output`, and kills it (SIGKILL: no handler runs) `delayMs` later.
 */
export async function killAfter(args: readonly string[], output: string, delayMs: number, feed?: Feed): Promise<Kill> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: [feed ? 'pipe' : 'ignore', 'ignore', 'pipe'] });
  const state = { ended: false };
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  // A killed reader closes the pipe under our feet.
  child.stdin?.on('error', () => {});
  const exit = new Promise<void>((resolve) => {
    child.on('exit', () => {
      state.ended = true;
      resolve();
    });
  });
  const begun = performance.now();
  const fedAt: number[] = [];
  const feeding = (async () => {
    for (const chunk of feed?.chunks ?? []) {
      if (state.ended) return;
      child.stdin?.write(chunk);
      fedAt.push(performance.now() - begun);
      await sleep(feed?.pauseMs ?? 0);
    }
    child.stdin?.end();
  })();
  while (!state.ended && !(existsSync(output) && statSync(output).size > 0)) await sleep(2);
  if (!state.ended) await Promise.race([sleep(delayMs), exit]);
  const killedAt = performance.now() - begun;
  const killed = !state.ended && child.kill('SIGKILL');
  await exit;
  await feeding;
  if (!existsSync(output)) throw new Error(`no ${output} after ${Math.round(killedAt)} ms: ${stderr}`);
  return { killed, fedAt: fedAt.filter((at) => at <= killedAt), killedAt };
}

/** What `iorr info --check --json` says of a file. */
export interface InfoDocument {
  readonly health: {
    readonly truncated: number;
    readonly entries: readonly { readonly kind: string; readonly name: string }[];
  };
  readonly result: {
    readonly events: number;
    readonly closed: boolean;
    readonly streams: Record<string, { readonly events: number }>;
  };
}

/** Runs `iorr info` on a file; throws with its message unless it exits 0. */
export function infoOf(file: string): InfoDocument {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'info', '--check', '--json', file], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`info ${file} exited with ${status}: ${stderr}`);
  return JSON.parse(stdout) as InfoDocument;
}
