import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { PlainEvent } from '../../traces/event.ts';
import { CALL_EVENT, ORIGIN, SEEN } from '../../traces/schema.ts';
import { MAPPING, decodeMappings, decodeUserMemory } from '../../traces/user-memory.ts';
import { fileKind, keepsContents } from './calls/file-kind.ts';
import { parseProcMapsLine } from './calls/proc-maps.ts';
import { parseHexBytes, parseHexWords, wordsOf } from './calls/words.ts';
import { ioctlNdjson } from './ioctl-ndjson.ts';
import { readImport } from './testing/read-import.ts';
import type { ReadImport } from './testing/read-import.ts';

function read(lines: readonly string[]): ReadImport {
  return readImport(ioctlNdjson, lines, { file: 'calls.jsonl' });
}

const START = '{"seq":0,"ev":"start","root":7,"mono":1000,"kernel":"7.2.13","cpus":4}';

function ioctl(fields: object): string {
  const base = { ev: 'sys', pid: 7, tid: 8, t0: 1500, t1: 2000, sys: 'ioctl', args: ['0x4', '0x3b80', '0x5000'] };
  return JSON.stringify({ ...base, ret: 0, errno: 0, ...fields });
}

function only(line: string): PlainEvent {
  const { events, health } = read([START, line]);
  expect(health.entries).toEqual([]);
  expect(events).toHaveLength(2);
  return events[1]!;
}

describe('a line', () => {
  test('the example of the documentation reads whole', () => {
    const path = fileURLToPath(new URL('../../docs/sources/ioctl-ndjson.md', import.meta.url));
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('    {'));
    expect(ioctlNdjson.detect(Buffer.from(lines.join('\n')))).toBe(1);
    const { events, health, facts } = read(lines.map((line) => line.trim()));
    expect(health.entries).toEqual([]);
    expect(facts.events).toBe(lines.length);
    expect(events.map(({ stream }) => stream)).toEqual(['call', 'call', 'ioctl']);
  });

  test('an ioctl: when, who, what, how it ended', () => {
    const event = only(ioctl({ fd: 4, fdlink: '/dev/iommu', ret: -22, errno: 22, in: '0800', out: '0800' }));
    expect(event).toMatchObject({ stream: 'ioctl', time: 1000, task: 8 });
    expect(event.fields).toMatchObject({
      pid: 7,
      fd: 4,
      request: 0x3b80,
      arg: 0x5000n,
      duration: 500n,
      ret: 0xffffffffffffffean,
      errno: 22,
      path: '/dev/iommu',
      before: new Uint8Array([8, 0]),
      seen: SEEN.argument | SEEN.before | SEEN.after,
    });
  });

  test("the C library's -1 and a missing errno mean the same", () => {
    const expected = { ret: 0xfffffffffffffffen, errno: 2 };
    expect(only(ioctl({ ret: -1, errno: 2 })).fields).toMatchObject(expected);
    expect(only(ioctl({ ret: -2, errno: undefined })).fields).toMatchObject(expected);
    expect(only(ioctl({ ret: '0xfffffffffffffffe' })).fields).toMatchObject(expected);
    expect(only(ioctl({ ret: null })).fields).toMatchObject({ ret: 0n, errno: -1 });
  });

  test('what could not be read is not what nobody read', () => {
    expect(only(ioctl({ in: null, out: null })).fields['seen']).toBe(SEEN.argument | SEEN.unreadable);
    expect(only(ioctl({})).fields['seen']).toBe(SEEN.argument);
    expect(only(ioctl({ args: ['0x4', '0x3b80'] })).fields['seen']).toBe(0);
  });

  test('memory behind pointers', () => {
    const mem = [
      { field: 'a', addr: '0xffffffff00001000', len: 51539607540, in: '0102', same: true },
      { field: 'b', addr: '0x2000', len: 2, in: null, out: '0304' },
      { field: 'c', addr: '0x3000', len: 1, in: '05' },
    ];
    const items = decodeUserMemory(only(ioctl({ mem })).fields['memory'] as Uint8Array);
    expect(items.map(({ field, before, after }) => [field, before, after])).toEqual([
      ['a', new Uint8Array([1, 2]), new Uint8Array([1, 2])],
      ['b', null, new Uint8Array([3, 4])],
      ['c', new Uint8Array([5]), undefined],
    ]);
    expect(items[0]).toMatchObject({ addressLo: 0x1000, addressHi: -1, lengthLo: 51539607540 | 0, lengthHi: 11 });
  });

  test('mappings of a process', () => {
    const maps = ['00400000-00401000 r-xs 00001000 00:03 175     /bin/x y', '7ffe0000-7ffe1000 rw-p 0 00:00 0 [stack]'];
    const event = only(JSON.stringify({ ev: 'maps', pid: 7, maps }));
    expect(event.fields).toMatchObject({ event: CALL_EVENT.maps, pid: 7 });
    const [first, second] = decodeMappings(event.fields['data'] as Uint8Array);
    expect(first).toMatchObject({ startLo: 0x400000, endLo: 0x401000, offsetLo: 0x1000, prot: 5, flags: 3 });
    expect(second).toMatchObject({ prot: 3, flags: MAPPING.stack });
    expect(parseProcMapsLine('00400000 r-xs')).toBeUndefined();
  });

  test('a child is known before it does anything', () => {
    const event = only('{"ev":"fork","pid":7,"tid":7,"t1":1200,"kind":"fork","child":9}');
    expect(event.fields).toMatchObject({ event: CALL_EVENT.fork, name: 'fork', pid: 7, ret: 9n });
  });

  test.each([
    ['no object', '[1]'],
    ['cut', '{"ev":"sys","pid":7'],
    ['event', '{"pid":7}'],
    ['pid', '{"ev":"exit","t1":3,"pid":"7"}'],
    ['a process id beyond 32 bits', '{"ev":"exit","t1":3,"pid":4294967296}'],
    ['time', '{"ev":"exit","t1":"soon","pid":7}'],
    ['time beyond 2^53', '{"ev":"exit","t1":9007199254740993,"pid":7}'],
    ['name', '{"ev":"sys","t1":3,"pid":7,"sys":"../x","ret":0}'],
    ['arguments', ioctl({ args: ['0x4', 'x'] })],
    ['too many arguments', ioctl({ args: [1, 2, 3, 4, 5, 6, 7] })],
    ['no request', ioctl({ args: [] })],
    ['half a byte', ioctl({ in: '080' })],
    ['bytes', ioctl({ out: 'zz' })],
    ['errno', ioctl({ ret: -1, errno: -1 })],
    ['memory', ioctl({ mem: [7] })],
    ['memory without an address', ioctl({ mem: [{ field: 'x', len: 1, in: '00' }] })],
    ['prototype', '{"ev":"sys","t1":3,"pid":7,"__proto__":{"sys":"ioctl","args":[1,2]},"ret":0}'],
    ['mappings', '{"ev":"maps","pid":7,"maps":["x"]}'],
  ])('malformed: %s', (_what, line) => {
    const { events, facts, health } = read([START, line, ioctl({})]);
    expect(health).toMatchObject({ malformed: 1, unknown: 0 });
    expect(health.entries[0]?.first).toEqual(['calls.jsonl:2']);
    expect(events.map(({ stream }) => stream)).toEqual(['call', 'ioctl']);
    expect(facts).toMatchObject({ lines: 3, events: 2 });
  });

  test('an event of another kind is unknown by its name', () => {
    const { health } = read([START, '{"ev":"seccomp","pid":7}']);
    expect(health.entries).toMatchObject([{ kind: 'unknown', name: 'event seccomp', count: 1 }]);
  });
});

describe('a recording', () => {
  test('says what machine it was, where the start line does', () => {
    expect(ioctlNdjson.describe(Buffer.from(`${START}\n`))).toMatchObject({
      host: { kernel: '7.2.13', cpus: 4 },
      clock: { epochNs: '1000' },
    });
  });

  test('a gap in the numbers is a loss at its place', () => {
    const exit = (seq: number): string => JSON.stringify({ seq, ev: 'exit', pid: 7, t1: 1000 + seq });
    const { events, facts, health } = read([START, exit(1), exit(5), exit(6)]);
    expect(events.map(({ stream }) => stream)).toEqual(['call', 'call', 'lost', 'call', 'call']);
    expect(events[2]?.fields['count']).toBe(3n);
    expect(health.lost).toBe(3);
    expect(facts).toMatchObject({ lines: 4, events: 4 });
  });

  test('each test case begins with a mark', () => {
    const { events } = read([START, ioctl({ test: 'a.b' }), ioctl({ test: 'a.b' }), ioctl({}), ioctl({ test: 'c' })]);
    const marks = events.filter(({ stream }) => stream === 'mark').map(({ fields }) => fields['text']);
    expect(marks).toEqual(['test a.b', 'test c']);
  });

  test('time never goes back, not even over a second recording of another boot', () => {
    const second = '{"seq":0,"ev":"start","root":9,"mono":500}';
    const { events, facts } = read([START, ioctl({}), ioctl({ t1: 1900 }), second, ioctl({ t0: 500, t1: 600 })]);
    expect(events.map(({ time }) => time)).toEqual([0, 1000, 1000, 1001, 1101]);
    expect(facts.notes).toEqual({ runs: 2, timesBehindThePreviousLine: 1 });
  });

  test('times that are beyond 2^53 once the recordings stand behind each other are no times', () => {
    const first = { seq: 0, ev: 'start', root: 1, mono: 5 };
    const late = { ev: 'exit', pid: 1, t1: Number.MAX_SAFE_INTEGER };
    const second = { ...first, mono: -Number.MAX_SAFE_INTEGER + 10 };
    const { health, events } = read([first, late, second, late].map((line) => JSON.stringify(line)));
    expect(health).toMatchObject({ malformed: 1 });
    expect(events.every(({ time }) => Number.isSafeInteger(time) && time >= 0)).toBe(true);
  });

  test('without a start line it says that it begins in the middle', () => {
    const { facts, events } = read([ioctl({})]);
    expect(facts.notes).toMatchObject({ begins: expect.stringContaining('middle') as unknown });
    expect(events[0]?.time).toBe(500);
  });

  test('a last line without newline counts if it is whole', () => {
    for (const [text, events] of [
      [START, 1],
      [START.slice(0, -1), 0],
    ] as const) {
      const { facts, health } = readImport(ioctlNdjson, Buffer.from(text));
      expect(facts).toMatchObject({ lines: 1, events, skipped: 1 - events });
      expect(health.truncated).toBe(1 - events);
    }
  });
});

describe('messages to a vDPA device', () => {
  /** struct vhost_msg_v2, or vhost_msg. */
  function message(version: number, type: number, addressSpace = 3): string {
    const bytes = Buffer.alloc(72);
    bytes.writeUInt32LE(version, 0);
    bytes.writeUInt32LE(addressSpace, 4);
    bytes.writeBigUInt64LE(0x1_0000_2000n, 8);
    bytes.writeBigUInt64LE(0x3000n, 16);
    bytes.writeBigUInt64LE(0x7f00_0000_0000n, 24);
    bytes[32] = 2;
    bytes[33] = type;
    return bytes.toString('hex');
  }
  function write(data: string, fields: object = {}): string {
    const call = { ev: 'sys', pid: 7, t1: 2000, sys: 'write', fd: 9, fdlink: '/dev/vhost-vdpa-0', ret: 72, data };
    return JSON.stringify({ ...call, ...fields });
  }

  test('are maps and unmaps of an address space', () => {
    const { events, facts } = read([START, write(message(2, 2)), write(message(2, 3)), write(message(1, 2))]);
    expect(events.map(({ stream }) => stream)).toEqual(['call', 'call', 'map', 'call', 'unmap', 'call', 'map']);
    const what = { origin: ORIGIN.vdpa, iova: 0x1_0000_2000n, size: 0x3000n };
    expect(events[2]?.fields).toMatchObject({ ...what, domain: 3, prot: 2 });
    expect(events[4]?.fields).toMatchObject({ ...what, domain: 3 });
    expect(events[6]?.fields).toMatchObject({ ...what, domain: 0 });
    expect(facts.events).toBe(4);
  });

  test('that failed, were cut, or say something else map nothing', () => {
    const lines = [
      write(message(2, 5)),
      write(message(3, 2)),
      write(message(2, 2).slice(0, 64)),
      write(message(2, 2), { ret: -22 }),
      write(message(2, 2), { fdlink: '/dev/vhost-net' }),
      write(message(2, 2), { sys: 'read' }),
    ];
    expect(read([START, ...lines]).events.filter(({ stream }) => stream !== 'call')).toEqual([]);
  });
});

test('files keep their kind and lose their name', () => {
  const kinds: readonly (readonly [string, string | undefined])[] = [
    ['', undefined],
    ['/dev/iommu', '/dev/iommu'],
    ['/dev/vfio/devices/vfio0', '/dev/vfio/devices/vfio0'],
    ['/dev/disk/by-id/secret', 'file'],
    ['/srv/me/secret', 'file'],
    ['anon_inode:[iommufd-pgfault]', 'anon_inode:[iommufd-pgfault]'],
    ['/memfd:secret (deleted)', '/memfd:'],
    ['/dmabuf:secret', '/dmabuf:'],
    ['pipe:[1234]', 'pipe:'],
    ['/proc/7/pagemap', '/proc/self/pagemap'],
    ['/proc/self/task/7/fail-nth', '/proc/self/fail-nth'],
    ['/proc/7/task/12/fail-nth', '/proc/12/fail-nth'],
    ['/proc/thread-self/fail-nth', '/proc/thread-self/fail-nth'],
    ['/proc/7/fail-nth', '/proc/self/fail-nth'],
    ['/proc/self/task/12/maps', '/proc/self/maps'],
    ['/proc/8/mem', '/proc/8/mem'],
    ['/proc/7/root/srv/secret', 'file'],
    ['/sys/kernel/debug/fail_iommufd/times', '/sys/kernel/debug/fail_iommufd/times'],
    ['/sys/devices/pci0000:00/secret', '/sys'],
  ];
  for (const [path, kind] of kinds) expect([path, fileKind(path, 7)]).toEqual([path, kind]);
  expect(keepsContents('file')).toBe(false);
  expect(keepsContents(undefined)).toBe(false);
  expect(keepsContents('/memfd:')).toBe(true);
  const event = only(
    JSON.stringify({ ev: 'sys', pid: 7, t1: 2000, sys: 'write', ret: 2, fd: 1, fdlink: '/srv/me/log', data: '6162' }),
  );
  expect(event.fields).toMatchObject({ path: 'file', data: new Uint8Array(0) });
});

test('64-bit numbers are exact', () => {
  expect(parseHexWords('0xffffffffffffffff')).toEqual({ lo: -1, hi: -1 });
  expect(parseHexWords('80000000deadBEEF')).toEqual({ lo: 0xdeadbeef | 0, hi: -0x80000000 });
  for (const text of ['', '0x', '0x12345678123456789', '-1', '0xg']) expect(parseHexWords(text)).toBeUndefined();
  expect(wordsOf(-22)).toEqual({ lo: -22, hi: -1 });
  expect(wordsOf(Number.MAX_SAFE_INTEGER)).toEqual({ lo: -1, hi: 0x1fffff });
  expect(parseHexBytes('00fF')).toEqual(new Uint8Array([0, 255]));
  expect(parseHexBytes('')).toEqual(new Uint8Array(0));
});
