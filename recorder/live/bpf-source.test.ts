import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import { SEEN } from '../../traces/schema.ts';
import { decodeUserMemory } from '../../traces/user-memory.ts';
import { thisSystem } from './system.ts';
import { NO_LIVE_RECORDING, iorrLive, runLive } from './testing/live-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-bpf-'));
afterAll(() => rmSync(folder, { recursive: true }));

const system = thisSystem();
const LACKING = ['bpftrace', 'python3'].filter((name) => system.program(name) === undefined);
if (LACKING.length > 0) process.stderr.write(`bpf is not tested here: there is no ${LACKING.join(', no ')}\n`);

const PROGRAM = join(import.meta.dirname, 'testing/many-ioctls.py');

/** What the program says of each of its calls. */
interface Said {
  readonly pid: number;
  readonly tid: number;
  readonly fd: number;
  readonly request: number;
  readonly address: number;
  readonly before: string;
  readonly after: string;
  readonly ret: number;
  readonly errno: number;
  readonly pointed?: string;
  readonly pointer?: number;
}

function eventsOf(file: string): readonly PlainEvent[] {
  const trace = openTrace(file);
  const events = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
  trace.close();
  return events;
}

const hex = (value: unknown): string => Buffer.from(value as Uint8Array).toString('hex');

/** A call as the trace has it, in the program's own words. */
function asSaid({ task, fields }: PlainEvent): Said {
  const items = fields['memory'] instanceof Uint8Array ? decodeUserMemory(fields['memory']) : [];
  const [item] = items;
  return {
    pid: Number(fields['pid']),
    tid: task,
    fd: Number(fields['fd']),
    request: Number(fields['request']) >>> 0,
    address: Number(fields['arg']),
    before: hex(fields['before']),
    after: hex(fields['after']),
    ret: Number(BigInt.asIntN(64, fields['ret'] as bigint)) < 0 ? -1 : Number(fields['ret']),
    errno: Number(fields['errno']),
    ...(item?.before ? { pointed: hex(item.before), pointer: item.addressHi * 2 ** 32 + (item.addressLo >>> 0) } : {}),
  };
}

function byTask(calls: readonly Said[]): Map<number, Said[]> {
  const tasks = new Map<number, Said[]>();
  for (const call of calls) tasks.set(call.tid, [...(tasks.get(call.tid) ?? []), call]);
  return tasks;
}

describe.skipIf(NO_LIVE_RECORDING !== undefined || LACKING.length > 0)('record --source bpf', () => {
  const file = join(folder, 'many.iorr');
  const types = ['--ioctl-type', '0x52,0xaa'];
  let run: ReturnType<typeof iorrLive> | undefined;
  let said: readonly Said[] = [];
  let ioctls: readonly PlainEvent[] = [];

  beforeAll(() => {
    run = iorrLive('record', '--source', 'bpf', ...types, '-o', file, '--', 'python3', PROGRAM, '25', '3', '2');
    said = run.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Said);
    ioctls = eventsOf(file).filter(({ stream }) => stream === 'ioctl');
  }, 60_000);

  test('of threads and children, every call is there once, with the bytes that its program passed and got', () => {
    expect(run?.stderr).not.toContain('LOST');
    expect(run?.status).toBe(0);
    expect(said.length).toBeGreaterThan(5 * 25);
    expect(new Set(said.map(({ tid }) => tid)).size).toBe(6);
    const recorded = byTask(ioctls.map(asSaid));
    for (const [tid, calls] of byTask(said)) {
      const theirs = recorded.get(tid) ?? [];
      expect(theirs).toHaveLength(calls.length);
      calls.forEach((call, i) => {
        const { pointed, pointer, ...own } = call;
        expect(theirs[i]).toMatchObject(own);
        // What is all zero, or of no length, can't be told from what could not be read of a call that failed.
        if (pointed !== undefined && /[^0]/.test(pointed)) expect(theirs[i]).toMatchObject({ pointed, pointer });
      });
    }
    expect(ioctls).toHaveLength(said.length);
  });

  test('calls are in order of their return, have a duration, and the file that the kernel saw', () => {
    let last = 0;
    for (const { time, fields } of ioctls) {
      expect(time).toBeGreaterThanOrEqual(last);
      last = time;
      expect(fields['duration']).toBeGreaterThan(0n);
    }
    const files = ioctls.map(({ fields }) => String(fields['path'])).filter((path) => !path.startsWith('anon_inode'));
    const expected = ['/dev/null', '/dev/zero', '/memfd:', 'file', 'pipe:', 'socket:'];
    expect(new Set(files)).toEqual(new Set(expected));
  });

  test('what a driver writes into the struct is in the bytes after, and only there', () => {
    const entropy = ioctls.find(({ fields }) => Number(fields['request']) >>> 0 === 0x8004_5200);
    expect(entropy?.fields).toMatchObject({ errno: 0, seen: SEEN.argument | SEEN.before | SEEN.after });
    expect(hex(entropy?.fields['before'])).toBe('eeeeeeee');
    expect(hex(entropy?.fields['after'])).not.toBe('eeeeeeee');
    // The handshake of userfaultfd: what it can do, in 24 bytes, of which the last 8 are the kernel's answer.
    const handshake = ioctls.find(({ fields }) => Number(fields['request']) >>> 0 === 0xc018_aa3f);
    if (handshake === undefined) return;
    expect(hex(handshake.fields['before']).slice(32)).toBe('0700000000000000');
    expect(hex(handshake.fields['after']).slice(0, 16)).toBe('aa00000000000000');
    expect(handshake.fields['after']).not.toEqual(handshake.fields['before']);
  });

  test('the program that is printed is one that bpftrace runs by itself, and its output is imported', () => {
    const program = join(folder, 'calls.bt');
    const printed = iorrLive('record', '--print-program', '--pid', '1');
    expect(printed.stdout).toMatch(/^\/\/ root: .*bpftrace -o .*\nBEGIN \{ @tree\[1\] = 1;/);
    expect(iorrLive('record', '--source', 'strace', '--print-program').status).toBe(2);
    if (process.env['IORR_FULL'] !== '1') return;
    writeFileSync(program, iorrLive('record', '--print-program').stdout);
    const [output, trace] = [join(folder, 'calls.txt'), join(folder, 'calls.iorr')];
    // bpftrace starts programs alone, no scripts.
    const script = join(folder, 'calls.sh');
    writeFileSync(script, `exec python3 ${PROGRAM} 10\n`);
    const byHand = runLive('env', [
      'BPFTRACE_PERF_RB_PAGES=4096',
      'bpftrace',
      '-o',
      output,
      '-c',
      `/bin/sh ${script}`,
      program,
    ]);
    expect(byHand.status).toBe(0);
    expect(iorrLive('import', output, '-o', trace).status).toBe(0);
    const calls = eventsOf(trace).filter(({ stream, fields }) => stream === 'ioctl' && fields['errno'] === 25);
    const theirs = byHand.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => (JSON.parse(line) as Said).before);
    const seen = new Set(calls.map(({ fields }) => hex(fields['before'])));
    expect(theirs.filter((before) => !seen.has(before)).length).toBeLessThanOrEqual(2);
  }, 60_000);
});
