import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess, SpawnSyncReturns } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The built command. */
const CLI = join(import.meta.dirname, '../../../dist/cli.js');

/**
 * Commands see tracefs in a mount namespace of their own: the machine's mounts stay as they are. Instances are the kernel's,
 * and seen from everywhere.
 */
const UNSHARE = 'unshare';
const INSTANCES = '/sys/kernel/tracing/instances';
/** A command that hangs is ended. */
const TIMEOUT_MS = 60_000;
const WITH_TRACEFS =
  'test -d /sys/kernel/tracing/instances || mount -t tracefs nodev /sys/kernel/tracing; test -d /sys/kernel/tracing/instances && exec "$@"';

function inNamespace(program: string, args: readonly string[]): readonly string[] {
  return ['-m', '--propagation', 'private', 'sh', '-c', WITH_TRACEFS, 'sh', program, ...args];
}

function whyNotHere(): string | undefined {
  if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
  if (process.geteuid?.() !== 0) return 'not root';
  const probe = spawnSync(UNSHARE, inNamespace('test', ['-d', '/sys/kernel/tracing/instances']), {
    encoding: 'utf8',
  });
  return probe.status === 0 ? undefined : `no tracefs: ${probe.error?.message ?? probe.stderr.trim()}`;
}

/** Why tests can't record here; undefined if they can. */
export const NO_LIVE_RECORDING = whyNotHere();
if (NO_LIVE_RECORDING !== undefined) {
  process.stderr.write(`live recording is not tested here: ${NO_LIVE_RECORDING}\n`);
}

/** Runs a program where tracefs is mounted. */
export function runLive(program: string, args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(UNSHARE, inNamespace(program, args), { encoding: 'utf8', maxBuffer: 1 << 28, timeout: TIMEOUT_MS });
}

/** Runs the built command where tracefs is mounted. */
export function iorrLive(...args: readonly string[]): SpawnSyncReturns<string> {
  return runLive(process.execPath, [CLI, ...args]);
}

/** Starts a program where tracefs is mounted. The process id is the program's own. */
export function startProgram(program: string, args: readonly string[]): ChildProcess {
  return spawn(UNSHARE, inNamespace(program, args), { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Starts the built command where tracefs is mounted. */
export function startLive(...args: readonly string[]): ChildProcess {
  return startProgram(process.execPath, [CLI, ...args]);
}

/** Names of the trace instances that a process made and that the kernel still has. */
export function instancesOf(pid: number | undefined): readonly string[] {
  const names = existsSync(INSTANCES) ? readdirSync(INSTANCES) : runLive('ls', [INSTANCES]).stdout.split('\n');
  return names.filter((name) => name.startsWith('iorr-') && name.includes(`-${pid}-`));
}
