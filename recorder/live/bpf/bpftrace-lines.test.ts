import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainEvents } from '../../../traces/event.ts';
import { Health } from '../../../traces/health.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { SEEN } from '../../../traces/schema.ts';
import { decodeUserMemory } from '../../../traces/user-memory.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import { BpftraceLines } from './bpftrace-lines.ts';
import { CHUNK_BYTES } from './bpftrace-program.ts';

const HEADER = {
  producer: 'bpftrace',
  clock: { epochNs: '1000', name: 'mono', resolutionNs: 1 },
  fidelity: { ioctl: 'full' },
} as const;

/** A chunk as the program prints it. */
function words(...values: readonly (number | bigint)[]): string {
  return Array.from({ length: CHUNK_BYTES / 8 }, (_, i) => (values[i] ?? 0).toString(16)).join(' ');
}

function read(lines: readonly string[], options: { link?: string; now?: bigint; root?: number } = {}) {
  const trace = new MemoryTrace(testHeader({ clock: HEADER.clock }));
  const health = new Health();
  const target = { sink: trace, health, source: 0, epoch: 1000n, root: options.root };
  const reader = new BpftraceLines(
    target,
    () => options.link,
    () => options.now ?? 2000n,
  );
  for (const line of lines) {
    reader.message(line.startsWith('{') ? line : JSON.stringify({ type: 'printf', data: `${line}\n` }));
  }
  reader.end();
  const events = [...trace.segments()].flatMap((segment) => [...plainEvents(segment, trace.strings)]);
  return { events, health: health.report(), reader };
}

const NO_NAME = '0 0 0 0 0 0';
/** A call by thread 43 at 2000, of a struct of 12 bytes. */
const ENTER = [`B 43 7d0 0 ${words(0x7_0000_000c)}`, `E 7d0 42 43 1 5 3b81 7f0000001000 c ${NO_NAME}`];
const EXIT = [`A 43 7d0 0 ${words(0x9_0000_000c)}`, 'X 7d0 43 bb8 1 0 c'];
/** A character device in a folder of /dev. */
const named = (line: string, folder: number, name: number): string =>
  line.replace(NO_NAME, `21b6 ${folder.toString(16)} ${name.toString(16)} 0 0 0`);

const hexOf = (value: unknown): string => Buffer.from(value as Uint8Array).toString('hex');

describe("lines of iorr's bpftrace program", () => {
  test('a call is one row: struct before and after, result, duration, file, process and thread', () => {
    const { events, health } = read(['S 7d0', 'O 7d0 42 42 0 5 /dev/iommu', ...ENTER, ...EXIT]);
    expect(health.entries).toEqual([]);
    expect(events.map(({ stream }) => stream)).toEqual(['call', 'call', 'ioctl']);
    const ioctl = events[2];
    expect(ioctl).toMatchObject({ time: 2000, task: 43 });
    expect(ioctl?.fields).toMatchObject({
      pid: 42,
      fd: 5,
      request: 0x3b81,
      duration: 1000n,
      ret: 0n,
      errno: 0,
      path: '/dev/iommu',
      arg: 0x7f00_0000_1000n,
      seen: SEEN.argument | SEEN.before | SEEN.after,
    });
    expect(hexOf(ioctl?.fields['before'])).toBe('0c0000000700000000000000');
    expect(hexOf(ioctl?.fields['after'])).toBe('0c0000000900000000000000');
  });

  test('an error has its number; the kernel tells the file, and where it can not /proc does', () => {
    const failed = [EXIT[0] ?? '', 'X 7d0 43 bb8 1 ffffffffffffffe7 c'];
    const { events } = read([...ENTER, ...failed], { link: '/dev/vfio/devices/vfio3' });
    expect(events[0]?.fields).toMatchObject({
      errno: 25,
      ret: 0xffff_ffff_ffff_ffe7n,
      path: '/dev/vfio/devices/vfio3',
    });
    const path = (folder: number, name: number): unknown =>
      read([ENTER[0] ?? '', named(ENTER[1] ?? '', folder, name), ...EXIT], { link: '/dev/null' }).events[0]?.fields[
        'path'
      ];
    // Little-endian words: "devices/vfio3", "vfio/12", "/iommu", and a terminal: "3" in a file system of its own.
    expect(path(0x73_6563_6976_6564, 0x33_6f69_6676)).toBe('/dev/vfio/devices/vfio3');
    expect(path(0x6f69_6676, 0x3231)).toBe('/dev/vfio/12');
    expect(path(0x2f, 0x75_6d6d_6f69)).toBe('/dev/iommu');
    expect(path(0x2f, 0x33)).toBe('file');
  });

  test('lines of one call come in any order: two CPUs print them', () => {
    const sorted = read([...ENTER, ...EXIT, 'T ffff 0', 'T ffff 1']).events;
    fc.assert(
      fc.property(fc.shuffledSubarray([...ENTER, ...EXIT], { minLength: 4 }), (lines) => {
        // What is printed by one CPU keeps its order.
        const own = (parts: readonly string[]): string[] =>
          lines.filter((line) => parts.includes(line)).sort(byPlace(parts));
        const [enter, exit] = [own(ENTER), own(EXIT)];
        const mixed = lines.map((line) => (ENTER.includes(line) ? enter.shift() : exit.shift()) ?? '');
        expect(read(mixed).events).toEqual(sorted);
      }),
    );
  });

  test('rows are in order of time however CPUs take turns, and wait until every CPU has reported', () => {
    const call = (tid: number, at: number): string[] =>
      [...ENTER, ...EXIT].map((line) =>
        line
          .replaceAll(' 43 ', ` ${tid} `)
          .replace('7d0', at.toString(16))
          .replace('bb8', (at + 16).toString(16)),
      );
    const lines = [
      'S 7d0 2',
      'T 7d0 0',
      'T 7d0 1',
      ...call(7, 9000),
      'T 2400 0',
      ...call(8, 5000),
      ...call(9, 3016),
      'T 2800 1',
    ];
    const { events } = read(lines);
    // One CPU reports again and again before the other one's lines are read.
    const starved = ['S 7d0 2', 'T 7d0 0', 'T 2400 0', 'T 2800 0', 'T 3000 0', ...lines.slice(2)];
    expect(read(starved).events).toEqual(events);
    expect(events.slice(1).map(({ task }) => task)).toEqual([9, 8, 7]);
    expect(events.slice(1).map(({ time }) => time)).toEqual([2032, 4016, 8016]);
  });

  test('a struct that the kernel could not read either is unreadable; one that only we could not read was not looked at', () => {
    const blind = `E 7d0 42 43 1 5 3b81 10 0 ${NO_NAME}`;
    const later = `E fa0 42 43 1 5 3b81 10 0 ${NO_NAME}`;
    const { events } = read([blind, 'X 7d0 43 bb8 1 fffffffffffffff2 0', later, 'X fa0 43 fb0 1 0 0']);
    expect(events[0]?.fields['seen']).toBe(SEEN.argument | SEEN.unreadable);
    expect(events[1]?.fields['seen']).toBe(SEEN.argument);
  });

  test('longer structs come in chunks, from the multiple of 8 before them; memory behind pointers with its whole length', () => {
    const { events, health } = read([
      `B 43 7d0 0 ${words(0, 0x48)}`,
      `B 43 7d0 80 ${words(0x1122_3344)}`,
      'M 43 7d0 5 7f0000002004 20',
      `m 43 7d0 0 ${words(0xaa_0000_0000, 0, 0, 0, 0xbb)}`,
      `E 7d0 42 43 1 5 3b8d 7f04 84 ${NO_NAME}`,
      `A 43 7d0 0 ${words(0, 0x48)}`,
      `A 43 7d0 80 ${words(0x5566_7788)}`,
      'X 7d0 43 bb8 1 0 84',
    ]);
    expect(health.entries).toEqual([]);
    const fields = events[0]?.fields ?? {};
    expect(hexOf(fields['before'])).toHaveLength(0x84 * 2);
    expect(hexOf(fields['before']).slice(-16)).toBe('4433221100000000');
    expect(hexOf(fields['after']).slice(-16)).toBe('8877665500000000');
    const [memory] = decodeUserMemory(fields['memory'] as Uint8Array);
    expect(memory).toMatchObject({ field: 'data_uptr', addressLo: 0x2004, addressHi: 0x7f00, lengthLo: 0x20 });
    expect(memory?.after).toBeUndefined();
    expect(hexOf(memory?.before)).toBe(`aa${'0'.repeat(54)}bb${'0'.repeat(6)}`);
  });

  test('memory that was not there when the call came is read when it returns, and zeros of a call that failed are unknown', () => {
    const array = [`B 43 7d0 0 ${words(0x20)}`, 'M 43 7d0 5 7f0000002000 20', `m 43 7d0 0 ${words()}`];
    const came = `E 7d0 42 43 1 5 3b8d 7f00 20 ${NO_NAME}`;
    const again = ['N 43 7d0 5 7f0000002000 20', `n 43 7d0 0 ${words(0xaa)}`];
    const memoryOf = (lines: readonly string[]) =>
      decodeUserMemory(read(lines).events[0]?.fields['memory'] as Uint8Array)[0];
    expect(hexOf(memoryOf([...array, came, ...again, 'X 7d0 43 bb8 1 0 20'])?.before)).toBe(`aa${'0'.repeat(62)}`);
    expect(memoryOf([...array, came, 'X 7d0 43 bb8 1 fffffffffffffff2 20'])?.before).toBeNull();
  });

  test('a bitmap without a dirty page is zeros, not unknown; one that is longer than what is read is told as cut', () => {
    const harvest = (length: string): string[] => [
      `B 43 7d0 0 ${words(0x30)}`,
      `E 7d0 42 43 1 5 3b8c 7f00 30 ${NO_NAME}`,
      `N 43 7d0 4 7f0000002000 ${length}`,
      `n 43 7d0 0 ${words()}`,
      'X 7d0 43 bb8 1 0 30',
    ];
    const whole = read(harvest('40'));
    const [bitmap] = decodeUserMemory(whole.events[0]?.fields['memory'] as Uint8Array);
    expect(bitmap).toMatchObject({ field: 'data', lengthLo: 0x40 });
    expect(hexOf(bitmap?.after)).toBe('0'.repeat(128));
    expect(whole.health.truncated).toBe(0);
    expect(read(harvest('40000000')).health.truncated).toBe(1);
  });

  /** FAULT_QUEUE_ALLOC (0x8e) and VEVENTQ_ALLOC (0x93) at 1000, of the fds 9 and 10. */
  const QUEUES = [
    `B 43 3e8 0 ${words(0x10)}`,
    `E 3e8 42 43 1 5 3b8e 7f0000001000 10 ${NO_NAME}`,
    `A 43 3e8 0 ${words(0x10, 0x9_0000_0002)}`,
    'X 3e8 43 3e9 1 0 10',
    `B 43 3ea 0 ${words(0x20)}`,
    `E 3ea 42 43 1 5 3b93 7f0000001000 20 ${NO_NAME}`,
    `A 43 3ea 0 ${words(0x20, 0, 0, 0xa)}`,
    'X 3ea 43 3eb 1 0 20',
  ];
  const transfers = (...lines: readonly string[]) =>
    read([...QUEUES, ...lines])
      .events.filter(({ stream }) => stream === 'call')
      .map(({ fields }) => fields);

  test('reads and writes of a queue carry their records, and how much they asked for', () => {
    const [got, written, none, refused, unreadable] = transfers(
      `D 43 7d0 0 ${words(0x1_0000_0002, 0x33)}`,
      'R 7d0 42 43 bb8 1 9 10 read 7f0000001000 50',
      `D 43 fa0 0 ${words(0x77)}`,
      'R fa0 42 43 fb0 1 9 8 write 7f0000001000 8',
      'R fb4 42 43 fb8 1 9 fffffffffffffff5 read 7f0000001000 50',
      `D 43 1000 0 ${words(0x4711)}`,
      'R 1000 42 43 1008 1 9 ffffffffffffffea write 7f0000001004 4',
      `D 43 2000 0 ${words()}`,
      'R 2000 42 43 2008 1 9 fffffffffffffff2 write 10 10',
    );
    expect(got).toMatchObject({ name: 'read', fd: 9, ret: 16n, duration: 1000n, a1: 0x7f00_0000_1000n, a2: 0x50n });
    expect(hexOf(got?.['data'])).toBe('02000000010000003300000000000000');
    expect(hexOf(written?.['data'])).toBe('7700000000000000');
    expect(none).toMatchObject({ errno: 11, a2: 0x50n });
    expect(hexOf(none?.['data'])).toBe('');
    // A write that was refused carried bytes as well, but for one whose bytes could not be read.
    expect(refused).toMatchObject({ errno: 22, a2: 4n });
    expect(hexOf(refused?.['data'])).toBe('00000000');
    expect(unreadable).toMatchObject({ errno: 14, a2: 0x10n });
    expect(hexOf(unreadable?.['data'])).toBe('');
  });

  test('queues of faults and of events are told apart by the call that made them; one that nobody tells of is unnamed', () => {
    const paths = transfers(
      'R 7d0 42 43 bb8 1 9 0 read 7f0000001000 50',
      'R fa0 42 43 fb0 1 10 0 read 7f0000001000 50',
      'C 1000 42 43 1 10',
      `D 43 1fa0 0 ${words(0x77)}`,
      'R 1fa0 42 43 1fb0 1 10 8 read 7f0000001000 50',
    ).map(({ path, data }) => [path, data]);
    const events = 'anon_inode:[iommufd-viommu-event]';
    expect(paths.map(([path]) => path)).toEqual(['anon_inode:[iommufd-pgfault]', events, events, null]);
    // It may be anything by now.
    expect(hexOf(paths.at(-1)?.[1])).toBe('');
  });

  test('a container is named by its fd, a device by its name and nothing behind it; its fd is a device from then on', () => {
    const [name, behind] = [0x3a30_303a_3030_3030n, 0x6574_6972_7670];
    const { events } = read([
      `B 43 3e8 0 ${words(0x5_0000_0003)}`,
      `E 3e8 42 43 1 4 3b68 7f0000001000 4 ${NO_NAME}`,
      `A 43 3e8 0 ${words(0x5_0000_0003)}`,
      'X 3e8 43 3e9 1 0 4',
      `B 43 7d0 0 ${words(name, 0x30_2e34, behind)}`,
      `E 7d0 42 43 1 4 3b6a 7f0000001000 40 ${NO_NAME}`,
      `A 43 7d0 0 ${words(name, 0x30_2e34, behind)}`,
      'X 7d0 43 7d8 1 7 40',
      `B 43 fa0 0 ${words(0x18)}`,
      `E fa0 42 43 1 7 3b6b 7f0000001000 18 ${NO_NAME}`,
      'X fa0 43 fb0 1 0 18',
    ]);
    const [container, device, info] = events.map(({ fields }) => fields);
    expect(hexOf(container?.['before'])).toBe('03000000');
    expect(Buffer.from(device?.['before'] as Uint8Array).toString()).toBe('0000:00:4.0\0');
    expect(device?.['after']).toEqual(device?.['before']);
    expect(info).toMatchObject({ path: 'anon_inode:[vfio-device]' });
  });

  test('what a kernel writes may add to what is there, and may be less than there was room for', () => {
    const ranges = (tags: string, count: number, ...values: readonly number[]): string[] => [
      `${tags[0]} 43 7d0 1 7f0000002000 ${(count * 16).toString(16)}`,
      `${tags[1]} 43 7d0 0 ${words(...values)}`,
    ];
    const { events, health } = read([
      `B 43 7d0 0 ${words(0x1_0000_0020, 12)}`,
      ...ranges('Mm', 12, 0x55),
      `m 43 7d0 80 ${words(0x66)}`,
      `E 7d0 42 43 1 5 3b84 7f0000001000 20 ${NO_NAME}`,
      `A 43 7d0 0 ${words(0x1_0000_0020, 1)}`,
      ...ranges('Nn', 1, 0x1000, 0x1fff),
      'X 7d0 43 bb8 1 0 20',
    ]);
    const [memory] = decodeUserMemory(events[0]?.fields['memory'] as Uint8Array);
    expect(memory).toMatchObject({ field: 'allowed_iovas', lengthLo: 192 });
    expect(memory?.before).toHaveLength(192);
    expect(hexOf(memory?.before).slice(0, 4)).toBe('5500');
    expect(hexOf(memory?.after)).toBe('0010000000000000ff1f000000000000');
    expect(health.truncated).toBe(0);
  });

  test('a struct that was too short keeps its length, though the kernel asks for more', () => {
    const { events } = read([
      `B 43 7d0 0 ${words(0x20)}`,
      `E 7d0 42 43 1 5 3b6c 7f0000001000 20 ${NO_NAME}`,
      `A 43 7d0 0 ${words(0xf_0000_0028)}`,
      'X 7d0 43 bb8 1 0 28',
    ]);
    expect(hexOf(events[0]?.fields['after'])).toHaveLength(0x20 * 2);
  });

  test('memory files are made with their flags', () => {
    const { events } = read(['K 7d0 42 43 1 6 100000004', 'K 7d8 42 43 1 -24 100000000', 'C fa0 42 43 1 6']);
    expect(events.map(({ fields }) => fields)).toMatchObject([
      { name: 'memfd_create', ret: 6n, a1: 4n, errno: 0, path: '/memfd:' },
      { name: 'memfd_create', errno: 24 },
      { name: 'close', fd: 6, path: '/memfd:' },
    ]);
  });

  test('a recording begins with a process of its own, or with nobody', () => {
    expect(read(['S 7d0'], { root: 42 }).events).toMatchObject([{ stream: 'call', task: 42 }]);
    expect(read(['S 7d0']).events).toMatchObject([{ stream: 'call', task: -1 }]);
  });

  test('a clock that counts the time asleep is brought back to that of the trace', () => {
    const asleep = 5_000_000_000n;
    const shifted = [...ENTER, ...EXIT].map((line) =>
      line.replace('7d0', (2000n + asleep).toString(16)).replace('bb8', (3000n + asleep).toString(16)),
    );
    const { events } = read([`S ${(1000n + asleep).toString(16)}`, ...shifted], { now: 2000n });
    // The line that it began with was read 1000 ns later.
    expect(events[1]?.time).toBe(2000 + 1000);
  });

  test('losses are told where they happened; a call without its return is counted', () => {
    const { events, health, reader } = read([
      '{"type": "lost_events", "data": {"events": 17}}',
      'Lost 4 events',
      ...ENTER,
    ]);
    expect(events).toMatchObject([
      { stream: 'lost', fields: { count: 17n } },
      { stream: 'lost', fields: { count: 4n } },
    ]);
    expect(health).toMatchObject({ lost: 21, ignored: 1, malformed: 0 });
    expect(reader.lost).toBe(21);
  });

  test('a chunk that was lost cuts the struct there', () => {
    const late = `B 43 7d0 80 ${words(1)}`;
    const { events } = read([late, `E 7d0 42 43 1 5 3b81 7f0000001000 100 ${NO_NAME}`, ...EXIT]);
    expect(events[0]?.fields['seen']).toBe(SEEN.argument);
  });

  test('a child has the files of its parent, and loses its own when it ends', () => {
    const child = (at: string): string[] =>
      [...ENTER, ...EXIT].map((line) =>
        line.replaceAll(' 43 ', ' 50 ').replace(' 42 ', ' 50 ').replaceAll('7d0', at).replace('bb8', `${at}8`),
      );
    const lines = ['O 7d0 42 42 0 5 /dev/iommu', 'F 7d8 42 42 0 50', ...child('7e0'), 'Z 7fff 50 0', ...child('8000')];
    const { events } = read(lines);
    const ioctls = events.filter(({ stream }) => stream === 'ioctl');
    expect(ioctls.map(({ fields }) => fields['path'])).toEqual(['/dev/iommu', null]);
    expect(events.filter(({ stream }) => stream === 'call')).toHaveLength(3);
  });

  test.each([
    '',
    'E',
    'E x y z',
    'X',
    'B 1 64',
    'M 43 7d0 99 0 0',
    'm 43 0',
    'O',
    'C',
    'F',
    'Z',
    'T',
    'R',
    'R 7d0 42 43 bb8 1 9 10 read 7f0000001000',
    'K',
    'D 43 7d0 0',
    'Y 1',
    'O ff00000000000000 42 42 0 5 /dev/iommu',
    'B 8 4 4296 c 0',
    `E ff00000000000000 42 43 1 5 3b81 7f0000001000 100 ${NO_NAME}`,
    '{',
    '{"type":"printf"',
  ])('damaged line "%s" is counted or means nothing, and writes no row', (line) => {
    const { events, health } = read([line]);
    expect(events.filter(({ stream }) => stream === 'ioctl')).toEqual([]);
    expect(health.malformed).toBe(1);
  });

  test('whatever is printed, the reader counts it and goes on', () => {
    const word = fc.oneof(
      fc.nat().map((value) => value.toString(16)),
      fc.constantFrom('7d0', '43', '0', 'ffffffffffffffff', '-1', '\\', ''),
    );
    const line = fc
      .tuple(fc.constantFrom(...'S T E X B A M N m n D R K O C F Z'.split(' ')), fc.array(word, { maxLength: 20 }))
      .map(([tag, list]) => [tag, ...list].join(' '));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
        const { health, reader } = read(lines);
        expect(reader.events + reader.folded + health.malformed + health.ignored).toBe(reader.lines);
      }),
    );
  });
});

function byPlace(order: readonly string[]): (a: string, b: string) => number {
  return (a, b) => order.indexOf(a) - order.indexOf(b);
}
