import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { infoOf } from '../../bench/robustness/kill-run.ts';
import { openTrace } from '../../traces/file.ts';
import { joinWords } from '../../traces/units.ts';
import type { RecordResult } from './record-result.ts';
import { NO_LIVE_RECORDING, instancesOf, iorrLive, startLive } from './testing/live-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-record-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function newFile(): string {
  return join(folder, `${files++}.iorr`);
}

/** Bytes that a loop moves with one call: a number that its neighbours don't use. */
const BYTES = 7;

/** A loop of `count` reads and as many writes, and a few other calls. */
function loop(count: number): readonly string[] {
  return ['dd', 'if=/dev/zero', 'of=/dev/null', `bs=${BYTES}`, `count=${count}`, 'status=none'];
}

interface Recorded {
  readonly pid: number;
  readonly status: number | null;
  readonly stderr: string;
  readonly result: RecordResult;
  readonly health: { readonly lost: number };
}

function recorded(...args: readonly string[]): Recorded {
  const { pid, status, stdout, stderr } = iorrLive('record', '--json', ...args);
  if (stdout === '') throw new Error(`status ${status}: ${stderr}`);
  const { result, health } = JSON.parse(stdout) as { result: RecordResult; health: { lost: number } };
  return { pid, status, stderr, result, health };
}

/** Calls of such a loop in a trace that succeeded. */
function bytesMoved(file: string): { readonly reads: number; readonly writes: number; readonly lost: bigint } {
  const trace = openTrace(file);
  const counts = { reads: 0, writes: 0, lost: 0n };
  for (const { rows } of trace.segments()) {
    const { columns, count } = rows.call;
    for (let row = 0; row < count; row++) {
      if (columns.a2Lo[row] !== BYTES || columns.retLo[row] !== BYTES) continue;
      const name = trace.strings[columns.name[row] ?? -1];
      if (name === 'read' && columns.fd[row] === 0) counts.reads++;
      if (name === 'write' && columns.fd[row] === 1) counts.writes++;
    }
    for (let row = 0; row < rows.lost.count; row++) {
      counts.lost += joinWords(rows.lost.columns.countLo[row] ?? 0, rows.lost.columns.countHi[row] ?? 0);
    }
  }
  trace.close();
  return counts;
}

describe.skipIf(NO_LIVE_RECORDING !== undefined)('record on this machine', () => {
  test('of a loop of system calls every one is there, in order of time, and none of anybody else', () => {
    const file = newFile();
    const { pid, status, result } = recorded('-o', file, '--event', 'raw_syscalls', '--', ...loop(20_000));
    expect(status).toBe(0);
    expect(result).toMatchObject({ lost: 0, stopped: 'command', command: { status: 0, signal: null } });
    expect(bytesMoved(file)).toEqual({ reads: 20_000, writes: 20_000, lost: 0n });
    const trace = openTrace(file);
    let last = 0;
    let backwards = 0;
    const tasks = new Set<number>();
    for (const { time, task, count } of trace.segments()) {
      for (let i = 0; i < count; i++) {
        if ((time[i] ?? 0) < last) backwards++;
        last = time[i] ?? 0;
        tasks.add(task[i] ?? 0);
      }
    }
    expect(backwards).toBe(0);
    expect(tasks.size).toBe(1);
    expect(trace.header).toMatchObject({ sources: [{ format: 'tracefs' }], clock: { name: 'mono', resolutionNs: 1 } });
    expect(trace.header.fidelity).toEqual({ ioctl: 'partial', call: 'partial', lost: 'full', mark: 'full' });
    expect(trace.header.machine).toMatchObject({ architecture: expect.any(String), units: expect.any(Array) });
    expect(trace.header.host.kernel).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim());
    trace.close();
    expect(instancesOf(pid)).toEqual([]);
  });

  test('what a buffer that is too small loses is counted exactly, per CPU and in its place', () => {
    const file = newFile();
    const count = 60_000;
    const sizes = ['--buffer-size', '64K', '--sub-buffer-size', '4K'];
    const { result, health } = recorded('-o', file, ...sizes, '--event', 'raw_syscalls', '--', ...loop(count));
    expect(result.lost).toBeGreaterThan(0);
    expect(health.lost).toBe(result.lost);
    expect(bytesMoved(file).lost).toBe(BigInt(result.lost));
    // The same loop without loss: each event is taken or lost. What dd does before and after its loop differs by a few.
    const whole = recorded('-o', newFile(), '--event', 'raw_syscalls', '--', ...loop(1000));
    const others = whole.result.taken - 4 * 1000;
    expect(Math.abs(result.taken + result.lost - 4 * count - others)).toBeLessThanOrEqual(8);
  });

  test('children are followed, the exit status is theirs, 128 + n by a signal', () => {
    const file = newFile();
    const shell = ['sh', '-c', `${loop(500).join(' ')}; ${loop(500).join(' ')} & wait; exit 7`];
    expect(recorded('-o', file, '--event', 'raw_syscalls', '--', ...shell).status).toBe(7);
    expect(bytesMoved(file)).toMatchObject({ reads: 1000, writes: 1000 });
    const killed = recorded('-o', newFile(), '--', 'sh', '-c', 'kill -TERM $$');
    expect(killed.status).toBe(143);
    expect(killed.result.command).toEqual({ status: 143, signal: 'SIGTERM' });
  });

  test('a command that is not there is 127, one that is no program 126, and no file is made', () => {
    const file = newFile();
    const { status, stderr } = iorrLive('record', '-o', file, '--', 'no-such-command-here');
    expect(status).toBe(127);
    expect(stderr).toBe('iorr: no-such-command-here: command not found\n');
    const text = join(folder, 'text');
    writeFileSync(text, 'no program');
    expect(iorrLive('record', '-o', file, '--', text).status).toBe(126);
    expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('an output that can not be written fails before the command runs: 125 with a command, 1 without', () => {
    const witness = join(folder, 'witness');
    const bad = join(folder, 'no', 'such', 'folder.iorr');
    const { status, stderr } = iorrLive('record', '-o', bad, '--', 'touch', witness);
    expect(status).toBe(125);
    expect(stderr).toContain('no such file');
    expect(statSync(witness, { throwIfNoEntry: false })).toBeUndefined();
    expect(iorrLive('record', '-o', bad, '--duration', '1s').status).toBe(1);
    const none = iorrLive('record', '-o', newFile(), '--event', 'no:such', '--', 'true');
    expect(none.status).toBe(125);
    expect(instancesOf(none.pid)).toEqual([]);
  });

  test('everybody is recorded but the recorder, until the time is up', () => {
    const file = newFile();
    const { status, result } = recorded('-o', file, '--event', 'raw_syscalls,iommu', '--duration', '400ms');
    const whole = openTrace(file);
    expect(whole.header.fidelity).toMatchObject({ map: 'full', unmap: 'full', fault: 'partial' });
    whole.close();
    expect(status).toBe(0);
    expect(result.stopped).toBe('duration');
    expect(result.taken).toBeGreaterThan(0);
    expect(result.wallNs).toBeGreaterThan(4e8);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends it with %i: the file is whole and no instance is left', async (signal, status) => {
    const file = newFile();
    const child = startLive('record', '-o', file, '--event', 'raw_syscalls');
    const exit = new Promise<number | null>((resolve) => {
      child.on('exit', (code) => resolve(code));
    });
    while (instancesOf(child.pid).length === 0) await sleep(20);
    await sleep(200);
    child.kill(signal);
    expect(await exit).toBe(status);
    expect(infoOf(file).result.closed).toBe(true);
    expect(instancesOf(child.pid)).toEqual([]);
  });
});
