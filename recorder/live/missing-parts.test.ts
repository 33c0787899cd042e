import { spawnSync } from 'node:child_process';
import type { SpawnSyncReturns } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CLI, infoOf } from '../../bench/robustness/kill-run.ts';
import { NO_LIVE_RECORDING, iorrLive, runLive } from './testing/live-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-missing-'));
chmodSync(folder, 0o777);
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a program where tracefs is not mounted; what it mounts is gone with its mount namespace. */
function withoutTracefs(program: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  const script =
    'while umount /sys/kernel/debug/tracing 2>/dev/null; do :; done; umount /sys/kernel/tracing; exec "$@"';
  return runLive('sh', ['-c', script, 'sh', program, ...args]);
}

describe.skipIf(NO_LIVE_RECORDING !== undefined)('where a part is missing', () => {
  test('tracefs is mounted by root, and a recording is as ever', () => {
    const file = join(folder, 'mounted.iorr');
    const args = ['record', '-o', file, '--event', 'raw_syscalls', '--', 'true'];
    const { status, stderr } = withoutTracefs(process.execPath, CLI, ...args);
    expect(stderr).toContain('the command ended');
    expect(status).toBe(0);
    expect(infoOf(file).result.streams['call']?.events).toBeGreaterThan(5);
  });

  test('a user is told how tracefs is mounted, and what works without; no file is made, the command does not run', () => {
    const file = join(folder, 'none.iorr');
    const witness = join(folder, 'witness');
    const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, CLI];
    const { status, stderr } = withoutTracefs('setpriv', ...user, 'record', '-o', file, '--', 'touch', witness);
    expect(stderr).toContain('tracefs: not mounted');
    expect(stderr).toContain('mount -t tracefs nodev /sys/kernel/tracing');
    expect(stderr).toContain('--source strace');
    expect(status).toBe(125);
    for (const path of [file, witness]) expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('without bpftrace the bpf source says what to install', () => {
    const file = join(folder, 'bpf.iorr');
    const args = [CLI, 'record', '--source', 'bpf', '-o', file, '--duration', '1s'];
    const env = { ...process.env, PATH: folder };
    const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
    expect(status).toBe(125);
    expect(stderr).toMatch(/bpftrace.*not in PATH|no bpftrace/);
    expect(stderr).toMatch(/apt(-get)? install.*bpftrace/);
    expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('an event that this kernel lacks is refused with the nearest that it has', () => {
    const { status, stderr } = iorrLive('record', '-o', join(folder, 'no.iorr'), '--event', 'sched:sched_swich');
    expect(status).toBe(2);
    expect(stderr).toContain('Did you mean sched:sched_switch?');
  });
});
