import { describe, expect, test } from 'vitest';
import { plainEvents } from '../../../traces/event.ts';
import { Health } from '../../../traces/health.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { SEEN } from '../../../traces/schema.ts';
import { decodeUserMemory } from '../../../traces/user-memory.ts';
import { BpftraceLines } from './bpftrace-lines.ts';

const HEADER = {
  producer: 'bpftrace',
  clock: { epochNs: '1000', name: 'mono', resolutionNs: 1 },
  fidelity: { ioctl: 'full' },
} as const;

/** Eight words as the program prints them. */
function words(...values: readonly number[]): string {
  return Array.from({ length: 8 }, (_, i) => (values[i] ?? 0).toString(16)).join(' ');
}

function read(lines: readonly string[], options: { link?: string; now?: bigint } = {}) {
  const trace = new MemoryTrace({
    formatVersion: 2,
    tool: 'iorr',
    toolVersion: '0',
    sources: [],
    host: {},
    clock: HEADER.clock,
    fidelity: {},
  });
  const health = new Health();
  const target = { sink: trace, health, header: HEADER, source: 0, folder: { path: '' }, pipe: undefined };
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

const ENTER = `E 7d0 42 43 1 5 3b81 7f0000001000 c ${words(0x0000_0000_0000_000c, 0x7)}`;
const EXIT = `X bb8 43 1 0 c ${words(0x0000_0001_0000_000c, 0x9)}`;

describe("lines of iorr's bpftrace program", () => {
  test('a call is one row: struct before and after, result, duration, file, process and thread', () => {
    const { events, health } = read(['S 7d0', 'O 7d0 42 42 5 /dev/iommu', ENTER, EXIT]);
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
    expect(Buffer.from(ioctl?.fields['before'] as Uint8Array).toString('hex')).toBe(
      '0c00000000000000070000 00'.replace(' ', ''),
    );
    expect(Buffer.from(ioctl?.fields['after'] as Uint8Array).toString('hex')).toBe('0c0000000100000009000000');
  });

  test('an error has its number; the kind of a file that was open before is read from /proc', () => {
    const { events } = read([ENTER, `X bb8 43 1 ffffffffffffffe7 c ${words(12)}`], { link: '/dev/vfio/devices/vfio3' });
    expect(events[0]?.fields).toMatchObject({
      errno: 25,
      ret: 0xffff_ffff_ffff_ffe7n,
      path: '/dev/vfio/devices/vfio3',
    });
  });

  test('a struct that the kernel could not read either is unreadable; one that only we could not read was not looked at', () => {
    const blind = `E 7d0 42 43 1 5 3b81 10 0 ${words()}`;
    const { events } = read([blind, `X bb8 43 1 fffffffffffffff2 0 ${words()}`, blind, `X bb8 43 1 0 0 ${words()}`]);
    expect(events[0]?.fields['seen']).toBe(SEEN.argument | SEEN.unreadable);
    expect(events[1]?.fields['seen']).toBe(SEEN.argument);
  });

  test('longer structs come in pieces, memory behind pointers with its address and whole length', () => {
    const { events, health } = read([
      `E 7d0 42 43 1 5 3b8d 7f00 48 ${words(0x48)}`,
      `P 43 64 ${words(0x1122)}`,
      'M 43 5 7f0000002000 20',
      `m 43 0 ${words(0xaa, 0, 0, 0xbb)}`,
      `Q 43 64 ${words(0x3344)}`,
      `X bb8 43 1 0 48 ${words(0x48)}`,
    ]);
    expect(health.entries).toEqual([]);
    const fields = events[0]?.fields ?? {};
    const hex = (name: string): string => Buffer.from(fields[name] as Uint8Array).toString('hex');
    expect(hex('before').slice(128)).toBe('2211000000000000');
    expect(hex('after').slice(128)).toBe('4433000000000000');
    const [memory] = decodeUserMemory(fields['memory'] as Uint8Array);
    expect(memory).toMatchObject({
      field: 'data_uptr',
      addressLo: 0x2000,
      addressHi: 0x7f00,
      lengthLo: 0x20,
      after: undefined,
    });
    expect(Buffer.from(memory?.before ?? []).toString('hex')).toBe(`aa${'0'.repeat(46)}bb${'0'.repeat(14)}`);
  });

  test('what a pointer points to and could not be read is not there, instead of zeros', () => {
    const { events } = read([
      `E 7d0 42 43 1 5 3b8d 7f00 20 ${words(0x20)}`,
      'M 43 5 7f0000002000 20',
      `m 43 0 ${words()}`,
      `X bb8 43 1 0 20 ${words(0x20)}`,
    ]);
    const [memory] = decodeUserMemory(events[0]?.fields['memory'] as Uint8Array);
    expect(memory?.before).toBeNull();
  });

  test('a clock that counts the time asleep is brought back to that of the trace', () => {
    const asleep = 5_000_000_000n;
    const [start, enter, exit] = [2000n, 3000n, 4000n].map((ns) => (ns + asleep).toString(16));
    const { events } = read([`S ${start}`, ENTER.replace('7d0', enter ?? ''), EXIT.replace('bb8', exit ?? '')], {
      now: 2000n,
    });
    expect(events[1]?.time).toBe(3000);
  });

  test('losses are told where they happened; a return without its call is counted', () => {
    const { events, health, reader } = read(['{"type": "lost_events", "data": {"events": 17}}', EXIT]);
    expect(events).toMatchObject([{ stream: 'lost', fields: { count: 17n } }]);
    expect(health).toMatchObject({ lost: 17, malformed: 1 });
    expect(reader.lost).toBe(17);
  });

  test('a child has the files of its parent, and loses its own when it ends', () => {
    const child = ENTER.replace('42 43', '50 50');
    const end = EXIT.replace(' 43 ', ' 50 ');
    const { events } = read(['O 7d0 42 42 5 /dev/iommu', 'F 7d0 42 42 50', child, end, 'Z 7d0 50', child, end]);
    const ioctls = events.filter(({ stream }) => stream === 'ioctl');
    expect(ioctls.map(({ fields }) => fields['path'])).toEqual(['/dev/iommu', null]);
    expect(events.filter(({ stream }) => stream === 'call')).toHaveLength(3);
  });

  test.each([
    '',
    'E',
    'E x y z',
    'X',
    'P 1 64',
    'M 43 99 0 0',
    'm 43 0',
    'O',
    'C',
    'F',
    'Z',
    'Y 1',
    '{',
    '{"type":"printf"',
  ])('damaged line "%s" is counted or means nothing, and writes no row', (line) => {
    const { events, health } = read([line.startsWith('{') ? line : line]);
    expect(events.filter(({ stream }) => stream === 'ioctl')).toEqual([]);
    expect(health.malformed).toBe(1);
  });
});
