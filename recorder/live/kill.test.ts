import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { Random } from '../../traces/random.ts';
import { thisSystem } from './system.ts';
import { NO_LIVE_RECORDING, instancesOf, iorrLive, startLive } from './testing/live-machine.ts';

/** The full figures kill at 200 random instants; some at a time, since most of it is waiting. */
const full = process.env['IORR_FULL'] === '1';
const KILLS = full ? 200 : 4;
const AT_ONCE = 2;
/** The promise is a second. Beside other test files the short form only guards it: threads that start late there are not counted. */
const MOST_MS = full ? 1000 : 3000;
/** The instants are in this time after the first events were written. */
const SPREAD_MS = full ? 1500 : 700;

const folder = mkdtempSync(join(tmpdir(), 'iorr-kill-'));
const loops: ChildProcess[] = [];
afterAll(() => {
  for (const loop of loops) loop.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const noPerl = thisSystem().program('perl') === undefined;
if (noPerl) process.stderr.write('not tested here: there is no perl\n');

/** Bytes of a struct timespec, of which the file of a loop has one a mark. */
const TIMESPEC = 16;

/**
 * Calls lseek(2) of no file with offsets 1, 2, 3, ... some thousand times a second. Before each it appends the time (of
 * CLOCK_MONOTONIC, the recorder's clock) to a file.
 */
function startMarks(file: string): ChildProcess {
  const [lseek, clock] = process.arch === 'x64' ? [8, 228] : [62, 113];
  const code = `
    open my $file, '+>', $ARGV[0] or die;
    my $now = "\\0" x ${TIMESPEC};
    for (my $n = 1; ; $n++) {
      syscall(${clock}, 1, $now);
      syswrite($file, $now);
      syscall(${lseek}, -1, $n, 0);
      select(undef, undef, undef, 0.001) if $n % 8 == 0;
    }`;
  return spawn('perl', ['-e', code, file], { stdio: 'ignore' });
}

/** When a mark was made, ns; the first is 1. Undefined for one that was not made. */
function timeOf(marks: Buffer, mark: number): bigint | undefined {
  const at = (mark - 1) * TIMESPEC;
  if (at + TIMESPEC > marks.length) return undefined;
  return marks.readBigInt64LE(at) * 1_000_000_000n + marks.readBigInt64LE(at + 8);
}

interface Killed {
  readonly pid: number | undefined;
  /** Of the recorder's clock, ns. */
  readonly at: bigint;
  /** Times of all marks by then. */
  readonly marks: Buffer;
  /** How long the recorder waited for a processor that others had, after its first events were written, in ms. */
  readonly waitedMs: number;
}

/** The second number of schedstat (Documentation/scheduler/sched-stats.rst), of the main thread and the one that reads. */
function waitedMs(pid: number | undefined): number {
  const waits = readdirSync(`/proc/${pid}/task`).map((task): readonly [boolean, number] => {
    const text = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1');
    return [task === String(pid), Number(text.split(' ')[1]) / 1e6];
  });
  const main = waits.find(([isMain]) => isMain)?.[1] ?? 0;
  return main + Math.max(0, ...waits.filter(([isMain]) => !isMain).map(([, wait]) => wait));
}

/** The header is there at once, events come with a flush. */
function hasEvents(file: string): boolean {
  try {
    const trace = openTrace(file);
    trace.close();
    return trace.eventCount > 0;
  } catch {
    // Not even the header yet.
    return false;
  }
}

async function killOne(loop: ChildProcess, marks: string, file: string, waitMs: number): Promise<Killed> {
  const child = startLive('record', '-o', file, '--event', 'raw_syscalls', '--pid', String(loop.pid));
  const exit = new Promise((resolve) => {
    child.on('exit', resolve);
  });
  while (!hasEvents(file)) await sleep(20);
  const before = waitedMs(child.pid);
  await sleep(waitMs);
  const waited = waitedMs(child.pid) - before;
  const at = process.hrtime.bigint();
  child.kill('SIGKILL');
  await exit;
  return { pid: child.pid, at, marks: readFileSync(marks), waitedMs: waited };
}

/** Marks of a recording that was cut, by what its file says; all of it is read. */
function marksOf(file: string): {
  readonly first: number;
  readonly last: number;
  readonly count: number;
} {
  const trace = openTrace(file);
  let [first, last, count] = [0, 0, 0];
  for (const { rows } of trace.segments()) {
    const { columns, count: calls } = rows.call;
    for (let row = 0; row < calls; row++) {
      if (trace.strings[columns.name[row] ?? -1] !== 'lseek' || columns.a0Lo[row] !== -1) continue;
      last = columns.a1Lo[row] ?? 0;
      if (count++ === 0) first = last;
    }
  }
  expect(trace.closed).toBe(false);
  trace.close();
  return { first, last, count };
}

describe.skipIf(NO_LIVE_RECORDING !== undefined || noPerl)('kill -9', () => {
  test(`at ${KILLS} random instants: each file reads, ${MOST_MS / 1000} s are lost at most, the next start removes the instances`, async () => {
    const random = new Random(500);
    const waits = Array.from({ length: KILLS }, () => random.below(SPREAD_MS));
    const lostMs: number[] = [];
    const ownMs: number[] = [];
    const killed: (number | undefined)[] = [];
    const worker = async (name: number): Promise<void> => {
      const marks = join(folder, `marks-${name}`);
      const file = join(folder, `${name}.iorr`);
      const loop = startMarks(marks);
      loops.push(loop);
      while (!existsSync(marks) || statSync(marks).size === 0) await sleep(5);
      for (let wait = waits.pop(); wait !== undefined; wait = waits.pop()) {
        const { pid, at, marks: made, waitedMs: waited } = await killOne(loop, marks, file, wait);
        killed.push(pid);
        const found = marksOf(file);
        expect(found.count).toBeGreaterThan(0);
        // None is missing in between, and none is there that was not made.
        expect(found.last - found.first + 1).toBe(found.count);
        expect(found.last).toBeLessThanOrEqual(made.length / TIMESPEC);
        // All that was made before this one is in the file.
        const next = timeOf(made, found.last + 1) ?? at;
        const lost = Math.max(0, Number(at - next) / 1e6);
        lostMs.push(lost);
        // A busy machine is not the recorder's fault; on a quiet one it waits for some ms.
        ownMs.push(lost - waited);
        rmSync(file);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, (_, name) => worker(name)));
    lostMs.sort((a, b) => a - b);
    const middle = lostMs[KILLS >> 1] ?? 0;
    process.stdout.write(
      `killed at ${KILLS} instants: ${middle.toFixed(0)} ms lost (median), ${lostMs.at(-1)?.toFixed(0)} ms at most, ${Math.max(...ownMs).toFixed(0)} ms without waits for a processor\n`,
    );
    expect(ownMs).toHaveLength(KILLS);
    expect(Math.max(...ownMs)).toBeLessThan(MOST_MS);
    expect(instancesOf(killed.at(-1))).toHaveLength(1);
    iorrLive('record', '-o', join(folder, 'next.iorr'), '--duration', '50ms');
    expect(killed.filter((pid) => instancesOf(pid).length > 0)).toEqual([]);
  });
});
