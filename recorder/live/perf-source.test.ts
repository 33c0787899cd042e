import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { infoOf } from '../../bench/robustness/kill-run.ts';
import { openTrace } from '../../traces/file.ts';
import { GrowingSource } from '../import/perf-data/growing-source.ts';
import { checkPerf } from './tool-checks.ts';
import { perfSource } from './perf-source.ts';
import { thisSystem } from './system.ts';
import { fakeSystem } from './testing/fake-system.ts';
import { NO_LIVE_RECORDING, iorrLive, runLive, startLive } from './testing/live-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-perf-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BYTES = 7;
const COUNT = 5000;
const LOOP = ['dd', 'if=/dev/zero', 'of=/dev/null', `bs=${BYTES}`, `count=${COUNT}`, 'status=none'];

interface Seen {
  readonly reads: number;
  readonly writes: number;
  readonly lost: number;
  readonly backwards: number;
}

function seenIn(file: string): Seen {
  const trace = openTrace(file);
  const seen = { reads: 0, writes: 0, lost: 0, backwards: 0 };
  let last = 0;
  for (const { rows, time, count } of trace.segments()) {
    for (let i = 0; i < count; i++) {
      if ((time[i] ?? 0) < last) seen.backwards++;
      last = time[i] ?? 0;
    }
    const { columns, count: calls } = rows.call;
    for (let row = 0; row < calls; row++) {
      if (columns.a2Lo[row] !== BYTES || columns.retLo[row] !== BYTES) continue;
      const name = trace.strings[columns.name[row] ?? -1];
      if (name === 'read') seen.reads++;
      if (name === 'write') seen.writes++;
    }
    for (let row = 0; row < rows.lost.count; row++) seen.lost += rows.lost.columns.countLo[row] ?? 0;
  }
  trace.close();
  return seen;
}

/** Processes that still have this text in their command line. */
function running(text: string): readonly string[] {
  const { stdout } = runLive('ps', ['-eo', 'pid,args']);
  return stdout.split('\n').filter((line) => line.includes(text) && !line.includes('ps -eo'));
}

const perf = thisSystem().program('perf');
if (perf === undefined) process.stderr.write('perf is not tested here: it is not in PATH\n');

describe.skipIf(NO_LIVE_RECORDING !== undefined || perf === undefined)('record --source perf', () => {
  test('of a command every call is there in order of time, and what is lost is counted', () => {
    const file = join(folder, 'loop.iorr');
    const args = ['--source', 'perf', '--event', 'raw_syscalls', '-o', file];
    const { status, stderr } = iorrLive('record', ...args, '--', ...LOOP);
    expect(stderr).toContain('the command ended');
    expect(status).toBe(0);
    const seen = seenIn(file);
    expect(seen).toEqual({ reads: COUNT, writes: COUNT, lost: 0, backwards: 0 });
    const small = join(folder, 'small.iorr');
    const few = ['--source', 'perf', '--event', 'raw_syscalls', '--buffer-size', '64K', '-o', small];
    iorrLive('record', ...few, '--', ...LOOP.map((word) => (word.startsWith('count') ? 'count=60000' : word)));
    expect(seenIn(small).lost).toBeGreaterThan(0);
  });

  test('a recorder that is killed leaves a file that reads, at most a second of loss, and no perf', async () => {
    const file = join(folder, 'killed.iorr');
    const child = startLive(
      'record',
      '--source',
      'perf',
      '--event',
      'raw_syscalls',
      '-o',
      file,
      '--',
      'sh',
      '-c',
      'while :; do :; sleep 0.01; done',
    );
    const exit = new Promise((resolve) => {
      child.on('exit', resolve);
    });
    const sizeOf = (): number => {
      try {
        return readFileSync(file).length;
      } catch {
        return 0;
      }
    };
    for (let waited = 0; sizeOf() < 4000 && waited < 20_000; waited += 50) await sleep(50);
    await sleep(1500);
    const killedAt = process.hrtime.bigint();
    child.kill('SIGKILL');
    await exit;
    const { result } = infoOf(file);
    expect(result.closed).toBe(false);
    const trace = openTrace(file);
    let last = 0;
    for (const { time, count } of trace.segments()) last = Math.max(last, time[count - 1] ?? 0);
    trace.close();
    // The period of a flush, and as much again for a machine that has other things to do.
    expect(killedAt - (BigInt(trace.header.clock.epochNs) + BigInt(last))).toBeLessThan(2_000_000_000n);
    const own = `--control=fd:3,4`;
    for (let waited = 0; running(own).length > 0 && waited < 10_000; waited += 100) await sleep(100);
    expect(running(own)).toEqual([]);
  });

  test('what perf record wrote into a pipe is imported as well as a file of it', () => {
    const events = ['-e', 'raw_syscalls:sys_enter', '-e', 'raw_syscalls:sys_exit', '-k', 'mono', '-m', '4096'];
    const piped = join(folder, 'piped.data');
    const script = 'out=$1; shift; exec perf record -o - "$@" > "$out"';
    const run = runLive('sh', ['-c', script, 'sh', piped, ...events, '--', ...LOOP]);
    expect(run.status).toBe(0);
    const file = join(folder, 'piped.iorr');
    expect(
      runLive(process.execPath, [join(import.meta.dirname, '../../dist/cli.js'), 'import', piped, '-o', file]).status,
    ).toBe(0);
    expect(seenIn(file)).toEqual({ reads: COUNT, writes: COUNT, lost: 0, backwards: 0 });
    const trace = openTrace(file);
    expect(trace.header.host.kernel).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim());
    trace.close();
  });
});

describe('perf on other machines', () => {
  const options = {
    events: [],
    filtered: false,
    processesOnly: false,
    bufferBytes: undefined,
    subBufferBytes: undefined,
  };

  test('says what is missing: perf, its permission, tracefs that may be read', () => {
    const bare = fakeSystem({});
    expect(checkPerf(bare)).toMatchObject({ state: 'missing', needs: expect.stringContaining('linux-perf') });
    expect(() => perfSource.describe(bare, options)).toThrow(expect.objectContaining({ code: 'RECORDING_FAILED' }));
    const tracefs = {
      '/proc/self/mounts': 'tracefs /sys/kernel/tracing tracefs ro 0 0\n',
      '/sys/kernel/tracing/events/iommu/map/format': '',
    };
    const allowed = fakeSystem({ files: tracefs, programs: ['perf'] });
    expect(perfSource.probe(allowed, options).map(({ state }) => state)).toEqual(['ok', 'ok']);
    const user = fakeSystem({
      uid: 1000,
      files: { ...tracefs, '/proc/sys/kernel/perf_event_paranoid': '2' },
      programs: ['perf'],
    });
    expect(perfSource.probe(user, options)[0]).toMatchObject({
      state: 'missing',
      needs: expect.stringContaining('paranoid'),
    });
  });
});

test('a stream that grows gives what was added, and holds what was not dropped', () => {
  const source = new GrowingSource('stream');
  for (let i = 0; i < 1000; i++) source.add(Uint8Array.from({ length: 200 }, () => i & 0xff));
  expect(source.size).toBe(200_000);
  expect([...source.read(150 * 200 - 1, 2)]).toEqual([149, 150]);
  source.drop(150 * 200);
  expect(source.held).toBe(170_000);
  expect([...source.read(150 * 200, 1)]).toEqual([150]);
  expect(source.read(0, 5)).toHaveLength(0);
  expect(source.read(199_999, 5)).toHaveLength(1);
});
