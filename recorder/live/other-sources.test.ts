import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CLI } from '../../bench/robustness/kill-run.ts';
import { openTrace } from '../../traces/file.ts';
import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import { SEEN } from '../../traces/schema.ts';
import { LIVE_SOURCES, findLiveSource } from './live-sources.ts';
import { thisSystem } from './system.ts';
import { NO_LIVE_RECORDING, iorrLive, runLive } from './testing/live-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-sources-'));
chmodSync(folder, 0o777);
afterAll(() => rmSync(folder, { recursive: true }));

const system = thisSystem();
const lacking = (program: string): boolean => {
  if (system.program(program) !== undefined) return false;
  process.stderr.write(`not tested here: there is no ${program}\n`);
  return true;
};

let files = 0;
function newFile(): string {
  return join(folder, `${files++}.iorr`);
}

function eventsOf(file: string, stream: string): readonly PlainEvent[] {
  const trace = openTrace(file);
  const events = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
  trace.close();
  return events.filter((event) => event.stream === stream);
}

/** Makes `count` calls numbered as IOMMU_IOAS_ALLOC on /dev/null, with a struct of 12 bytes, and one with an address that is not mapped. */
function caller(count: number): readonly string[] {
  const code = `
    open my $fh, '+<', '/dev/null' or die;
    for my $i (1..${count}) { my $s = pack('LLL', 12, $i, 0xabcd); ioctl($fh, 0x3b81, $s); }
    ioctl($fh, 0x3b81, 16 + 0);
  `;
  return ['perl', '-e', code];
}

describe('the registry of live sources', () => {
  test('each has a name of its own, says what it sees and what not, and tells of any machine without changing it', () => {
    expect(new Set(LIVE_SOURCES.map(({ name }) => name)).size).toBe(LIVE_SOURCES.length);
    for (const source of LIVE_SOURCES) {
      expect(findLiveSource(source.name)).toBe(source);
      expect(source.sees.length).toBeGreaterThan(20);
      expect(source.misses.length).toBeGreaterThan(20);
      const checks = source.probe(system, {
        events: [],
        filtered: false,
        processesOnly: false,
        bufferBytes: undefined,
        subBufferBytes: undefined,
      });
      expect(checks.length).toBeGreaterThan(0);
    }
    expect(() => findLiveSource('tracef')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('tracefs') }),
    );
  });
});

describe.skipIf(lacking('strace') || lacking('perl'))('record --source strace', () => {
  test('records the calls of a command without any privilege, and exits with its status', () => {
    const file = newFile();
    const args = ['record', '--source', 'strace', '-o', file, '--', ...caller(5)];
    const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
    expect(stderr).toContain('the command ended');
    expect(status).toBe(0);
    const ioctls = eventsOf(file, 'ioctl').filter(({ fields }) => fields['request'] === 0x3b81);
    expect(ioctls).toHaveLength(6);
    expect(ioctls[0]?.fields).toMatchObject({ path: '/dev/null', errno: 25 });
    const shell = ['record', '--source', 'strace', '-o', newFile(), '--', 'sh', '-c', 'exit 3'];
    expect(spawnSync(process.execPath, [CLI, ...shell]).status).toBe(3);
    const killed = ['record', '--source', 'strace', '-o', newFile(), '--', 'sh', '-c', 'kill -KILL $$'];
    expect(spawnSync(process.execPath, [CLI, ...killed]).status).toBe(137);
  });

  test('everybody can not be recorded: it is said what can', () => {
    const args = ['record', '--source', 'strace', '-o', newFile()];
    const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain('-- CMD, or --pid PID');
  });
});

describe.skipIf(NO_LIVE_RECORDING !== undefined || lacking('bpftrace') || lacking('perl'))(
  'record --source bpf',
  () => {
    test('each call has its struct before and after, its result and its duration', () => {
      const file = newFile();
      const { status, stderr } = iorrLive('record', '--source', 'bpf', '-o', file, '--', ...caller(20));
      expect(stderr).toContain('the command ended');
      expect(status).toBe(0);
      const ioctls = eventsOf(file, 'ioctl');
      expect(ioctls).toHaveLength(21);
      ioctls.slice(0, 20).forEach(({ fields }, i) => {
        expect(fields).toMatchObject({ request: 0x3b81, path: '/dev/null', errno: 25, seen: 7 });
        const expected = Buffer.from(Uint32Array.from([12, i + 1, 0xabcd]).buffer).toString('hex');
        expect(Buffer.from(fields['before'] as Uint8Array).toString('hex')).toBe(expected);
        expect(fields['after']).toEqual(fields['before']);
        expect(fields['duration']).toBeGreaterThan(0n);
      });
      // An address that is not mapped: the driver of /dev/null never looked, so nobody knows.
      expect(ioctls[20]?.fields).toMatchObject({ arg: 16n, seen: SEEN.argument });
    });
  },
);

describe.skipIf(NO_LIVE_RECORDING !== undefined)('without privileges', () => {
  const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, CLI];
  const readable = runLive('setpriv', [...asNobody, '--version']).status === 0;
  if (!readable) process.stderr.write('not tested here: an unprivileged user may not read the built command\n');

  test.skipIf(!readable)('tracefs and bpf say what they need and what works instead, and leave nothing', () => {
    const file = newFile();
    for (const source of ['tracefs', 'bpf']) {
      const args = ['record', '--source', source, '-o', file, '--', 'true'];
      const { status, stderr } = runLive('setpriv', [...asNobody, ...args]);
      expect(status).toBe(125);
      expect(stderr).toMatch(/not yours to use|not allowed|not in PATH/);
      expect(stderr).toMatch(/root.*--source strace/);
    }
    expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
    const doctor = runLive('setpriv', [...asNobody, 'doctor']);
    expect(doctor.status).toBe(1);
    expect(doctor.stdout).toMatch(/iorr record does not work here/);
  });
});
