import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { CLI, infoOf } from '../../bench/robustness/kill-run.ts';
import { openTrace } from '../../traces/file.ts';
import { joinWords } from '../../traces/units.ts';
import { NO_LIVE_RECORDING, instancesOf, iorrLive, runLive, startLive } from './testing/live-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-output-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Spans between the first and the last event of a trace, in ms. */
function span(file: string): number {
  const trace = openTrace(file);
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const { time, count } of trace.segments()) {
    first = Math.min(first, time[0] ?? first);
    last = Math.max(last, time[count - 1] ?? last);
  }
  trace.close();
  return (last - first) / 1e6;
}

/** Events of a trace that is whole; undefined for one that is not, or not yet. */
function eventsOf(file: string): number | undefined {
  try {
    const trace = openTrace(file);
    trace.close();
    return trace.closed ? trace.eventCount : undefined;
  } catch {
    return undefined;
  }
}

const LOOP = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'status=none'];

describe.skipIf(NO_LIVE_RECORDING !== undefined)('where a recording goes', () => {
  test('a full disk: 125, the command runs to its end, what was written reads, nothing is left behind', () => {
    const disk = join(folder, 'disk');
    const file = join(folder, 'full.iorr');
    mkdirSync(disk);
    const witness = join(folder, 'ended');
    const command = `${LOOP.join(' ')} count=240000; sleep 0.7; touch ${witness}`;
    const script = `mount -t tmpfs -o size=160k none ${disk} && "$@"; echo $?; cp ${disk}/full.iorr ${file}`;
    const iorr = [process.execPath, CLI, 'record', '-o', `${disk}/full.iorr`, '--event', 'raw_syscalls'];
    const { pid, stdout, stderr } = runLive('sh', ['-c', script, 'sh', ...iorr, '--', 'sh', '-c', command]);
    expect(stdout.trim()).toBe('125');
    expect(stderr).toContain('recording stopped (no space left on the device); the command goes on');
    expect(existsSync(witness)).toBe(true);
    const { result, health } = infoOf(file);
    expect(result.events).toBeGreaterThan(0);
    expect(result.closed).toBe(false);
    expect(health.truncated).toBeGreaterThan(0);
    expect(instancesOf(pid)).toEqual([]);
  });

  test('a pipe is written as its reader takes it; one that stops reading holds up nothing, and can be interrupted', async () => {
    const child = startLive('record', '-o', '-', '--event', 'raw_syscalls');
    const exit = new Promise<number | null>((resolve) => {
      child.on('exit', (code) => resolve(code));
    });
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const parts: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => parts.push(chunk));
    while (Buffer.concat(parts).length < 20_000) await sleep(20);
    child.stdout?.pause();
    await sleep(300);
    child.kill('SIGINT');
    child.stdout?.resume();
    expect(await exit).toBe(130);
    const file = join(folder, 'pipe.iorr');
    writeFileSync(file, Buffer.concat(parts));
    expect(infoOf(file).result).toMatchObject({ closed: true });
    expect(stderr).toContain('stopped');
  });

  test('a recorder that is stopped for a while loses what does not fit, and counts it', async () => {
    const file = join(folder, 'stopped.iorr');
    const sizes = ['--buffer-size', '128K', '--sub-buffer-size', '4K'];
    const loop = ['timeout', '1.5', ...LOOP];
    const child = startLive('record', '--json', '-o', file, '--event', 'raw_syscalls', ...sizes, '--', ...loop);
    let stdout = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const exit = new Promise<number | null>((resolve) => {
      child.on('close', (code) => resolve(code));
    });
    while (!existsSync(file) || readFileSync(file).length < 10_000) await sleep(20);
    child.kill('SIGSTOP');
    await sleep(400);
    child.kill('SIGCONT');
    // What timeout(1) says of a command that it had to end.
    expect(await exit).toBe(124);
    const { lost } = (JSON.parse(stdout) as { result: { lost: number } }).result;
    expect(lost).toBeGreaterThan(1000);
    const { result, health } = infoOf(file);
    expect(result.closed).toBe(true);
    expect(health.entries).toContainEqual(expect.objectContaining({ kind: 'lost', name: 'ring buffer full' }));
    const trace = openTrace(file);
    let rows = 0n;
    for (const { rows: of } of trace.segments()) {
      const { columns, count } = of.lost;
      for (let row = 0; row < count; row++) rows += joinWords(columns.countLo[row] ?? 0, columns.countHi[row] ?? 0);
    }
    trace.close();
    expect(rows).toBe(BigInt(lost));
  });

  test('a reader that is gone ends the recording with a message', async () => {
    const child = startLive('record', '-o', '-', '--event', 'raw_syscalls');
    const exit = new Promise<number | null>((resolve) => {
      child.on('exit', (code) => resolve(code));
    });
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect(await exit).toBe(1);
    expect(stderr).toContain('its reader is gone');
    expect(instancesOf(child.pid)).toEqual([]);
  });

  test('--max-size ends it when the file is that large', () => {
    const file = join(folder, 'size.iorr');
    const { status, stderr } = iorrLive('record', '-o', file, '--event', 'raw_syscalls', '--max-size', '10K');
    expect(status).toBe(0);
    expect(stderr).toContain('the file had its size');
    const { size } = { size: readFileSync(file).length };
    expect(size).toBeGreaterThan(10_000);
    expect(infoOf(file).result.closed).toBe(true);
  });

  test('--keep-last keeps the end of it; a signal writes out what there is, and it goes on', async () => {
    const file = join(folder, 'last.iorr');
    // Not everybody: on a busy machine that is more than can be followed.
    const loop = spawn('sh', ['-c', 'while sleep 0.02; do :; done'], { stdio: 'ignore' });
    const whom = ['--pid', String(loop.pid), '--event', 'raw_syscalls'];
    const child = startLive('record', '-o', file, ...whom, '--keep-last', '200ms');
    const exit = new Promise<number | null>((resolve) => {
      child.on('exit', (code) => resolve(code));
    });
    while (instancesOf(child.pid).length === 0) await sleep(20);
    // A busy machine may need some time until the first events are there.
    let first = '';
    let written = 0;
    do {
      await sleep(400);
      first = join(folder, `last-${++written}.iorr`);
      child.kill('SIGUSR1');
      while (eventsOf(first) === undefined) await sleep(20);
    } while (eventsOf(first) === 0);
    await sleep(500);
    child.kill('SIGTERM');
    expect(await exit).toBe(143);
    loop.kill('SIGKILL');
    copyFileSync(first, join(folder, 'copy.iorr'));
    for (const path of [first, file]) {
      expect(infoOf(path).result).toMatchObject({ closed: true });
      expect(infoOf(path).result.events).toBeGreaterThan(0);
      expect(span(path)).toBeLessThan(600);
    }
  });

  test('processes that are recorded by their id are recorded to their end', async () => {
    const file = join(folder, 'pid.iorr');
    const child = spawn('sh', ['-c', 'sleep 1; exit 4']);
    const { status, stderr } = iorrLive('record', '-o', file, '--event', 'raw_syscalls', '--pid', String(child.pid));
    expect(status).toBe(0);
    expect(stderr).toContain('the processes ended');
    const before = readFileSync(file);
    const none = iorrLive('record', '-o', file, '--pid', '4194303');
    expect(none.status).toBe(125);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(none.stderr).toContain('there is no process 4194303');
  });
});
