import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../backing.ts';
import { ERRNO } from '../errno.ts';
import { BUFFER, BUFFER_BYTES } from '../simulated-calls.ts';
import { DATA, MockCalls } from './testing/mock-calls.ts';

const IOVA = 0x100_0000;

describe('checks of the mock driver', () => {
  test('a range of any length is looked at as far as it is right', () => {
    const calls = new MockCalls();
    const ioas = calls.ioas();
    const { hwpt } = calls.device(ioas);
    expect(calls.call(0x3b85, 7, ioas, 0, BUFFER, 0, 0x2000, 0, IOVA, 0).ret).toBe(0);
    const map = (iova: number, length: readonly [number, number], at = BUFFER): number =>
      calls.mock(3, hwpt, iova, 0, ...length, at, 0).ret;
    expect(map(IOVA, [0x2000, 0])).toBe(0);
    expect(map(IOVA + 0x800, [0x1800, 0], BUFFER + 0x800)).toBe(0);
    expect(map(IOVA, [0, 0], 0x1000)).toBe(0);
    expect(map(IOVA, [0x400, 0])).toBe(-ERRNO.EINVAL);
    expect(map(IOVA, [0x2000, 0], BUFFER + 0x1000)).toBe(-ERRNO.EINVAL);
    expect(map(IOVA, [0, 0x100])).toBe(-ERRNO.EINVAL);
    expect(map(IOVA, [0, 0x100], 0x1000)).toBe(-ERRNO.EFAULT);
    const refs = (length: readonly [number, number], pins: number, at = BUFFER): number =>
      calls.mock(4, 0, ...length, at, 0, pins).ret;
    expect(refs([0x2000, 0], 1)).toBe(0);
    expect(refs([0x2000, 0], 0)).toBe(-ERRNO.EIO);
    expect(refs([0, 0x100], 1)).toBe(-ERRNO.EIO);
    expect(refs([0, 0x100], 0, BUFFER + BUFFER_BYTES - PAGE_SIZE)).toBe(-ERRNO.EFAULT);
  });

  test('GET_HW_INFO fills what the caller has room for', () => {
    const calls = new MockCalls();
    const { id } = calls.device(calls.ioas(), 5);
    const info = (device: number, flags: number, type: number, length: number, at = DATA) => {
      const { ret, struct } = calls.call(0x3b8a, flags, device, length, at, 0, type, 0, 0, 0);
      return ret < 0 ? ret : [struct.u32(12), struct.u32(24), struct.u32(28), struct.u32(32)];
    };
    const answer = [8, 0xfeed_beef, 20, 8];
    for (const [length, words] of [
      [0, [7, 7, 7, 7]],
      [4, [0, 7, 7, 7]],
      [8, [0, 0xdead_beef, 7, 7]],
      [16, [0, 0xdead_beef, 0, 0]],
    ] as const) {
      calls.put(DATA, 7, 7, 7, 7);
      expect(info(id, 0, 0xffff, length)).toEqual(answer);
      expect(calls.words(DATA, 4)).toEqual(words);
    }
    expect(info(id, 1, 0xfeed_beef, 8)).toEqual(answer);
    expect(info(id, 1, 0, 8)).toEqual(answer);
    expect(info(id, 1, 1, 8)).toBe(-ERRNO.EOPNOTSUPP);
    expect(info(id, 2, 0, 8)).toBe(-ERRNO.EOPNOTSUPP);
    expect(info(99, 0, 0, 8)).toBe(-ERRNO.ENOENT);
    expect(info(id, 0, 0, 0, 0)).toEqual(answer);
    expect(info(id, 0, 0, 8, 0)).toBe(-ERRNO.EFAULT);
    // What goes beyond the last page that can be written is told, and what was before it is filled.
    const end = BUFFER + BUFFER_BYTES - 12;
    calls.put(end, 7, 7, 7);
    expect(info(id, 0, 0, 16, end)).toBe(-ERRNO.EFAULT);
    expect(calls.words(end, 3)).toEqual([0, 0xdead_beef, 0]);
  });
});
