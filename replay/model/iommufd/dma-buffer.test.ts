import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ERRNO } from './errno.ts';
import type { IntentListener } from './intents.ts';
import { mockBackend } from './mock/mock-backend.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';

const IOVA = 0x100_0000;
const FIXED_RW = 7;
const GET = 22;
const REVOKE = 23;

function setUp(calls = new SimulatedCalls(mockBackend)) {
  const ioas = calls.call(0x3b81, 0, 0).struct.u32(8);
  const told: string[] = [];
  const quiet = (): void => undefined;
  const listener: IntentListener = {
    mapped: (_domain, { start, last }) => told.push(`map ${start}-${last}`),
    unmapped: (_domain, start, last) => told.push(`unmap ${start}-${last}`),
    attached: quiet,
    detached: quiet,
    tracking: quiet,
    harvested: quiet,
    invalidated: quiet,
  };
  calls.machine.intents = listener;
  const attach = (): number => calls.mock(2, ioas).ret;
  const buffer = (pages: number): number => calls.mock(GET, 0, pages * 4096, 0).ret;
  const mapFile = (fd: number, iova: number, pages: number, start = 0): number =>
    calls.call(0x3b8f, FIXED_RW, ioas, fd, start, 0, pages * 4096, 0, iova, 0).ret;
  const unmap = (iova: number, pages: number): number => calls.call(0x3b86, ioas, iova, 0, pages * 4096, 0).ret;
  const revoke = (fd: number, value: number): number => calls.mock(REVOKE, 0, fd, value).ret;
  return { calls, ioas, told, attach, buffer, mapFile, unmap, revoke };
}

describe('dma-bufs in an IOAS', () => {
  test('are mapped by MAP_FILE while they have memory; the errors of the kernel', () => {
    const { calls, buffer, mapFile, attach, revoke } = setUp();
    expect(attach()).toBe(0);
    const fd = buffer(4);
    expect([mapFile(fd, IOVA, 5), mapFile(fd, IOVA, 2, 3 * 4096)]).toEqual([-ERRNO.EINVAL, -ERRNO.EINVAL]);
    expect([mapFile(fd, IOVA, 4), revoke(fd, 1), mapFile(fd, IOVA + 0x1_0000, 4)]).toEqual([0, 0, -ERRNO.ENODEV]);
    expect([revoke(fd, 0), mapFile(fd, IOVA + 0x1_0000, 4)]).toEqual([0, 0]);
    expect([revoke(77, 1), revoke(calls.fd, 1)]).toEqual([-ERRNO.EBADF, -ERRNO.EINVAL]);
  });

  test('every notice takes the mappings down, also that the memory is back; nothing maps it again', () => {
    for (const value of [1, 0]) {
      const { told, attach, buffer, mapFile, unmap, revoke } = setUp();
      expect(attach()).toBe(0);
      const fd = buffer(1);
      expect(mapFile(fd, IOVA, 1)).toBe(0);
      expect([revoke(fd, value), revoke(fd, 0)]).toEqual([0, 0]);
      // A domain that comes later gets nothing of it, but is no failure.
      expect([attach(), unmap(IOVA, 1)]).toEqual([0, 0]);
      expect(told).toEqual([`map ${IOVA}-${IOVA + 4095}`, `unmap ${IOVA}-${IOVA + 4095}`]);
    }
  });

  test('counts for nobody’s locked memory', () => {
    const { calls, attach, buffer, mapFile } = setUp();
    calls.process.ipcLock = false;
    calls.process.memlock = 0;
    expect([attach(), mapFile(buffer(4), IOVA, 4), calls.process.user.lockedPages]).toEqual([0, 0, 0]);
  });

  test('what is told as mapped is told as unmapped, once, whatever comes', () => {
    const step = fc.record({
      kind: fc.constantFrom('map', 'unmap', 'revoke', 'attach'),
      slot: fc.nat(3),
      value: fc.nat(1),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { told, calls, attach, buffer, mapFile, unmap, revoke, ioas } = setUp();
        const fds = [buffer(1), buffer(1)];
        for (const { kind, slot, value } of steps) {
          const iova = IOVA + slot * 0x1000;
          if (kind === 'map') mapFile(fds[value] ?? -1, iova, 1);
          else if (kind === 'unmap') unmap(iova, 1);
          else if (kind === 'revoke') revoke(fds[slot & 1] ?? -1, value);
          else attach();
        }
        calls.call(0x3b86, ioas, 0, 0, 0xffff_ffff, 0xffff_ffff);
        const left = new Map<string, number>();
        for (const line of told) {
          const [what = '', range = ''] = line.split(' ');
          left.set(range, (left.get(range) ?? 0) + (what === 'map' ? 1 : -1));
          expect(left.get(range)).toBeGreaterThanOrEqual(0);
        }
        expect([...left.values()].every((count) => count === 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('a BAR that the process has mapped can’t be pinned: EFAULT, when a domain is there or comes', () => {
    const { calls, ioas, attach } = setUp();
    const vma = calls.process.memory.find(BUFFER);
    if (vma !== undefined) vma.backing.deviceMemory = true;
    const map = (): number => calls.call(0x3b85, FIXED_RW, ioas, 0, BUFFER, 0, 4096, 0, IOVA, 0).ret;
    expect([map(), attach()]).toEqual([0, -ERRNO.EFAULT]);
    expect(calls.call(0x3b86, ioas, IOVA, 0, 4096, 0).ret).toBe(0);
    expect([attach(), map()]).toEqual([0, -ERRNO.EFAULT]);
  });
});
