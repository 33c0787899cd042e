import { describe, expect, test } from 'vitest';
import { CALL_EVENT, SEEN } from '../../traces/schema.ts';
import { parseRequest, parseStraceLine } from './calls/strace-line.ts';
import { annotatedPath, parseNumber, parseString, splitArguments } from './calls/strace-values.ts';
import { strace } from './strace.ts';
import { readImport } from './testing/read-import.ts';
import type { ReadImport } from './testing/read-import.ts';

function read(lines: readonly string[]): ReadImport {
  const all = readImport(strace, lines, { file: 'strace.txt' });
  return { ...all, events: all.events.slice(1) };
}

const MAP = 'ioctl(3, 0x3b85 /* IOMMU_IOAS_MAP */, 0x7ffe8f466b90) = 0 <0.001079>';

describe('a call', () => {
  test('of an ioctl: what is known, and that the struct is not', () => {
    const { events } = read([
      '224   1795326136.917224 openat(-100 /* AT_FDCWD */, "/dev/iommu", 0x2) = 3',
      `224   1795326136.917225 ${MAP}`,
    ]);
    expect(events[1]).toMatchObject({ stream: 'ioctl', time: 1000 + 1_079_000, task: 224 });
    expect(events[1]?.fields).toMatchObject({
      pid: 224,
      fd: 3,
      request: 0x3b85,
      arg: 0x7ffe8f466b90n,
      duration: 1_079_000n,
      ret: 0n,
      errno: 0,
      path: '/dev/iommu',
      seen: SEEN.argument,
    });
  });

  test('of another driver, whose request has only a name, is left out and counted', () => {
    const { facts, health } = read(['ioctl(0, TCGETS, {c_iflag=0}) = 0', MAP]);
    expect(facts.events).toBe(1);
    expect(health.ignored).toBe(1);
  });

  test('the kind of a file follows its fd through dup and close, and to children', () => {
    const { events } = read([
      '7 openat(AT_FDCWD, "/dev/iommu", O_RDWR) = 3',
      '7 dup(3) = 5',
      '7 close(3) = 0',
      '7 fork() = 8',
      '7 close(5) = 0',
      '8 ioctl(5, 0x3b80, 0x10) = -1 EFAULT (Bad address)',
      '7 ioctl(5, 0x3b80, 0x10) = -1 EBADF (Bad file descriptor)',
    ]);
    const kinds = events
      .filter(({ stream }) => stream === 'ioctl')
      .map(({ task, fields }) => [task, fields['pid'], fields['path']]);
    // What is not known follows from the request.
    expect(kinds).toEqual([
      [8, 8, '/dev/iommu'],
      [7, 7, '/dev/iommu'],
    ]);
    expect(events.find(({ fields }) => fields['event'] === CALL_EVENT.fork)?.fields).toMatchObject({ pid: 7, ret: 8n });
    expect(events.filter(({ fields }) => fields['name'] === 'close').map(({ fields }) => fields['path'])).toEqual([
      '/dev/iommu',
      '/dev/iommu',
    ]);
  });

  test('a device that a group gave', () => {
    const { events } = read(['ioctl(4, VFIO_GROUP_GET_DEVICE_FD, "0000:00:07.0") = 6', 'ioctl(6, 0x3b71, 0x10) = 0']);
    expect(events.map(({ fields }) => fields['path'])).toEqual(['/dev/vfio/0', 'anon_inode:[vfio-device]']);
    expect(events[0]?.fields['seen']).toBe(0);
  });

  test('contents of kernel files stay, those of others go', () => {
    const { events } = read([
      'read(5<anon_inode:[iommufd-pgfault]>, "\\5\\0\\0\\0\\"\\\\\\x41\\n"..., 640) = 160',
      'write(1</srv/me/log>, "secret", 6) = 6',
    ]);
    expect(events.map(({ fields }) => [fields['path'], fields['data']])).toEqual([
      ['anon_inode:[iommufd-pgfault]', new Uint8Array([5, 0, 0, 0, 0x22, 0x5c, 0x41, 0x0a])],
      ['file', new Uint8Array(0)],
    ]);
  });

  test('in two parts, with another between', () => {
    const { events, facts } = read([
      '7 1795326110.000000 ioctl(3, 0x3b81, 0x7ff0 <unfinished ...>',
      '8 1795326110.000001 brk(NULL) = 0x55 <0.000001>',
      '7 1795326110.000009 <... ioctl resumed>) = -1 ENOMEM (Cannot allocate memory) <0.000009>',
      '8 1795326110.000020 read(3,  <unfinished ...>',
    ]);
    expect(facts).toMatchObject({ lines: 4, events: 2, folded: 1 });
    expect(events.map(({ stream, time }) => [stream, time])).toEqual([
      ['call', 2000],
      ['ioctl', 9000],
    ]);
  });

  test.each([
    'hello world',
    'ioctl(3, 0x3b81',
    'ioctl(3, 0x3b81, "abc) = 0',
    'brk(NULL) = -1 EWHAT (?)',
    'brk((((1) = 0',
    'ioctl(3, 0x3b85 /* IOMMU_IOAS_UNMAP */, 0x10) = 0',
    '7 <... read resumed>"", 4) = 0',
  ])('malformed: %s', (line) => {
    const { facts, health } = read([MAP, line, MAP]);
    expect(health.malformed).toBe(1);
    expect(facts).toMatchObject({ lines: 3, events: 2 });
  });
});

describe('times', () => {
  const times = (lines: readonly string[]): number[] => read(lines).events.map(({ time }) => time);

  test('since the epoch, of the day over midnight, since the line before, none', () => {
    expect(times(['1795326136.9 brk(0) = 0', '1795326137.000001 brk(0) = 0 <0.000002>'])).toEqual([0, 100_003_000]);
    expect(times(['23:59:59.5 brk(0) = 0', '00:00:01 brk(0) = 0'])).toEqual([0, 1_500_000_000]);
    expect(times(['     0.000000 brk(0) = 0', '     0.000250 brk(0) = 0', '     1.000000 brk(0) = 0'])).toEqual([
      0, 250_000, 1_000_250_000,
    ]);
    expect(times(['brk(0) = 0', 'brk(0) = 0'])).toEqual([1, 2]);
  });

  test('beyond 2^53 ns are not believed', () => {
    expect(
      times([
        '1 1795326136.0 brk(0) = 0',
        '1 999999999999.0 brk(0) = 0',
        '1 1795326137.0 brk(0) = 0 <999999999.000000>',
      ]),
    ).toEqual([0, 0, 1e9]);
  });

  test('say what clock they are of', () => {
    const clock = (line: string): unknown => strace.describe(Buffer.from(`${line}\n`)).clock;
    expect(clock('1 1795326136.000001 brk(0) = 0')).toEqual({
      epochNs: '1795326136000001000',
      name: 'realtime',
      resolutionNs: 1000,
    });
    expect(clock('06:00:00 brk(0) = 0')).toEqual({ epochNs: '21600000000000', name: 'time of day', resolutionNs: 1e9 });
    expect(clock('brk(0) = 0')).toEqual({ epochNs: '0', name: 'unknown', resolutionNs: 0 });
  });
});

describe('a fault queue', () => {
  const QUEUE = '197 1.000010 ioctl(3, 0x3b8e /* IOMMU_FAULT_QUEUE_ALLOC */, 0x7ffc38bdc2e0) = 0';
  const RECORDS =
    '197 1.000020 read(5, "\\5\\0\\0\\0\\1\\0\\0\\0\\7\\0\\0\\0\\0\\0\\0\\0\\3\\0\\0\\0\\0\\0\\0\\0\\0\\0\\2\\0\\1\\0\\0\\0"..., 640) = 160 <0.000160>';
  const RESPONSE = '197 1.000030 write(5, "\\1\\0\\0\\0\\1\\0\\0\\0", 8) = 8 <0.000182>';
  const paths = (lines: readonly string[]): unknown[] =>
    read(lines)
      .events.filter(({ fields }) => fields['name'] === 'read' || fields['name'] === 'write')
      .map(({ fields }) => fields['path']);

  test('is known by what is read from a descriptor that nobody opened', () => {
    expect(paths([QUEUE, RECORDS, RESPONSE])).toEqual(['anon_inode:[iommufd-pgfault]', 'anon_inode:[iommufd-pgfault]']);
  });

  test('is none without a queue, of another file, or of other contents', () => {
    expect(paths([RECORDS, RESPONSE])).toEqual([null, null]);
    expect(paths([QUEUE, '197 1.000015 openat(-100, "/tmp/x", 0x2) = 5', RECORDS])).toEqual(['file']);
    expect(paths([QUEUE, RECORDS.replace('\\3', '\\377'), RESPONSE])).toEqual([null, null]);
    expect(paths([QUEUE, RECORDS.replace('= 160', '= 161')])).toEqual([null]);
  });
});

test('requests by number, by name, by their parts', () => {
  expect(parseRequest('0x3b85 /* IOMMU_IOAS_MAP */')).toBe(0x3b85);
  expect(parseRequest('IOMMU_IOAS_MAP')).toBe(0x3b85);
  expect(parseRequest('VFIO_DEVICE_PCI_HOT_RESET or VFIO_IOMMU_MAP_DMA')).toBe(0x3b71);
  expect(parseRequest('_IOC(_IOC_NONE, 0x3b, 0xa0, 0)')).toBe(0x3ba0);
  expect(parseRequest('_IOC(_IOC_READ|_IOC_WRITE, 0x54, 0x2a, 0x2c)')).toBe(0xc02c542a | 0);
  expect(parseRequest('TCGETS')).toBeUndefined();
});

test('numbers, texts and lists of arguments', () => {
  const number = (text: string): number | undefined => parseNumber(text)?.lo;
  expect(['NULL', '0x10', '-100 /* AT_FDCWD */', '0644', '3</dev/iommu>', 'PROT_READ|PROT_WRITE'].map(number)).toEqual([
    0, 16, -100, 420, 3, 3,
  ]);
  expect(number('MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|21<<MAP_HUGE_SHIFT')).toBe(0x54040022);
  expect(parseNumber('18446744073709551615')).toEqual({ lo: -1, hi: -1 });
  expect(['{a=1}', 'WHAT', '"x"'].map(number)).toEqual([undefined, undefined, undefined]);
  expect(parseString('"a\\0\\12b"...')).toEqual(new Uint8Array([0x61, 0, 10, 0x62]));
  expect(annotatedPath('5</memfd:x (deleted)>')).toBe('/memfd:x (deleted)');
  expect(annotatedPath('5')).toBeUndefined();
  const text = 'f({a=[1, 2]}, "x)\\"", 3</a(b>, 4 /* ) */) = 1';
  expect(splitArguments(text, 1)).toEqual({
    args: ['{a=[1, 2]}', '"x)\\""', '3</a(b>', '4 /* ) */'],
    end: text.length - 4,
  });
  expect(parseStraceLine('[pid  12] +++ killed by SIGKILL (core dumped) +++')).toMatchObject({
    tid: 12,
    content: { kind: 'exit', status: 137 },
  });
});
