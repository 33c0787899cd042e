import { describe, expect, test } from 'vitest';
import { SEEN } from '../../traces/schema.ts';
import { vfioFile } from './calls/vfio-files.ts';
import { ioctlHex } from './ioctl-hex.ts';
import { readImport } from './testing/read-import.ts';
import type { ReadImport } from './testing/read-import.ts';

function read(lines: readonly string[]): ReadImport {
  const all = readImport(ioctlHex, lines, { file: 'ioctl.hex' });
  return { ...all, events: all.events.slice(1) };
}

const ENTER = '1.000000100 E cmd=0x3b81 type=0x3b nr=129 arg=0x7ffe0 len=12 : 0c 00 00 00 00 00 00 00 00 00 00 00';
const RETURN =
  '1.000000350 X cmd=0x3b81 type=0x3b nr=129 arg=0x7ffe0 len=12 ret=0 errno=0 : 0c 00 00 00 00 00 00 00 02 00 00 00';

describe('ioctl-hex', () => {
  test('entry and return are one event', () => {
    const { events, facts } = read([ENTER, RETURN]);
    expect(facts).toMatchObject({ lines: 2, events: 1, folded: 1 });
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ stream: 'ioctl', time: 250 });
    expect(events[0]?.fields).toMatchObject({
      request: 0x3b81,
      fd: -1,
      pid: -1,
      arg: 0x7ffe0n,
      duration: 250n,
      ret: 0n,
      errno: 0,
      path: '/dev/iommu',
      seen: SEEN.argument | SEEN.before | SEEN.after,
      before: new Uint8Array([12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      after: new Uint8Array([12, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]),
    });
  });

  test('a number as argument has no struct', () => {
    const { events } = read([
      '1.000000000 E cmd=0x3b65 type=0x3b nr=101 arg=(nil) len=0 :',
      '1.000000001 X cmd=0x3b65 type=0x3b nr=101 arg=(nil) len=0 ret=1 errno=0 :',
    ]);
    expect(events[0]?.fields).toMatchObject({ seen: SEEN.argument, ret: 1n, path: '/dev/vfio/vfio' });
  });

  test('a call that never returned has no result; a return without entry has no bytes before', () => {
    const { events, facts } = read([ENTER, ENTER, RETURN, RETURN, ENTER]);
    expect(facts).toMatchObject({ lines: 5, events: 4, folded: 1 });
    expect(events.map(({ fields }) => [fields['errno'], fields['seen']])).toEqual([
      [-1, SEEN.argument | SEEN.before],
      [0, SEEN.argument | SEEN.before | SEEN.after],
      [0, SEEN.argument | SEEN.after],
      [-1, SEEN.argument | SEEN.before],
    ]);
  });

  test('fault records and responses are reads and writes of the fault queue', () => {
    const { events } = read([ENTER, RETURN, 'FAULT : 05 00 00 00', 'RESP cookie=258 code=1']);
    expect(events.slice(1).map(({ fields }) => [fields['name'], fields['ret'], fields['data']])).toEqual([
      ['read', 4n, new Uint8Array([5, 0, 0, 0])],
      ['write', 8n, new Uint8Array([2, 1, 0, 0, 1, 0, 0, 0])],
    ]);
    expect(events[1]?.fields['path']).toBe('anon_inode:[iommufd-pgfault]');
  });

  test.each([
    ['fewer bytes than it says', ENTER.slice(0, -3)],
    ['half a byte', `${ENTER}0`],
    ['no colon', '1.000000100 E cmd=0x3b81'],
    ['a request of 64 bits', ENTER.replace('0x3b81', '0x1000003b81')],
    ['an errno that is none', RETURN.replace('errno=0', 'errno=5000')],
    ['a time beyond 2^53 ns', ENTER.replace('1.', '999999999.')],
    ['another text', 'hello'],
  ])('malformed: %s', (_what, line) => {
    const { health, facts } = read([line, ENTER, RETURN]);
    expect(health).toMatchObject({ malformed: 1 });
    expect(facts).toMatchObject({ lines: 3, events: 1, folded: 1 });
  });
});

test('the kind of file follows from the request', () => {
  const container = [0x3b64, 0x3b66].map((request) => vfioFile(request, false));
  expect(container).toEqual(['/dev/vfio/vfio', '/dev/vfio/vfio']);
  expect(vfioFile(0x3b71, true)).toBe('/dev/vfio/vfio');
  expect(vfioFile(0x3b71, false)).toBe('anon_inode:[vfio-device]');
  expect(vfioFile(0x3b67, true)).toBe('/dev/vfio/0');
  expect(vfioFile(0x3b76, true)).toBe('anon_inode:[vfio-device]');
  expect(vfioFile(0x3ba0, true)).toBe('/dev/iommu');
  expect(vfioFile(0x5401, true)).toBeUndefined();
  expect(vfioFile(0x3b00, true)).toBeUndefined();
});
