import { describe, expect, test } from 'vitest';
import { HWPT_FLAG } from './hwpt.ts';
import { mockBackend } from './mock/mock-backend.ts';
import type { QuirkName } from './quirks.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';
import { Unjudged } from './unjudged.ts';

const IOVA = 0x100_0000;
const BITMAP = BUFFER + 0x10_0000;

/** A dirty-tracking domain with 16 KiB mapped, of pages that are physically apart. */
function tracked(quirks: readonly QuirkName[] = []): { calls: SimulatedCalls; hwpt: number; mock: number } {
  const calls = new SimulatedCalls(mockBackend, quirks);
  calls.call(0x3b81, 0, 0);
  const mock = calls.mock(12, 1, 0, 0, 0, 0).struct;
  const hwpt = calls.call(0x3b89, HWPT_FLAG.dirty, mock.u32(24), 1, 0, 0, 0, 0, 0, 0).struct.u32(16);
  expect(calls.mock(10, mock.u32(16), hwpt).ret).toBe(0);
  expect(calls.call(0x3b85, 7, 1, 0, BUFFER, 0, 0x4000, 0, IOVA, 0).ret).toBe(0);
  expect(calls.call(0x3b8b, 1, hwpt, 0).ret).toBe(0);
  return { calls, hwpt, mock: mock.u32(16) };
}

function write({ calls, hwpt }: ReturnType<typeof tracked>, bits: number): number {
  calls.process.memory.remember(BITMAP, Uint8Array.of(bits));
  return calls.mock(13, hwpt, 0, 0, IOVA, 0, 0x4000, 0, 0x1000, 0, BITMAP, 0, 0, 0).struct.u32(56);
}

function read(
  { calls, hwpt }: ReturnType<typeof tracked>,
  pageSize: number,
  flags = 0,
  from = 0,
  bytes = 0x4000,
): number {
  calls.process.memory.remember(BITMAP, new Uint8Array(8));
  const { ret } = calls.call(0x3b8c, hwpt, flags, 0, IOVA + from, 0, bytes, 0, pageSize, 0, BITMAP, 0);
  if (ret < 0) return ret;
  return calls.process.memory.recall(BITMAP, 1)?.[0] ?? -1;
}

describe('dirty bitmaps', () => {
  test('what was written is read once; without clearing, again', () => {
    const domain = tracked();
    expect(write(domain, 0b1010)).toBe(2);
    expect(read(domain, 0x1000, 1)).toBe(0b1010);
    expect(read(domain, 0x1000)).toBe(0b1010);
    expect(read(domain, 0x1000)).toBe(0);
  });

  test('smaller bits are runs, larger ones cover several pages', () => {
    const domain = tracked();
    write(domain, 0b0010);
    expect(read(domain, 0x800, 1)).toBe(0b1100);
    expect(read(domain, 0x2000, 1)).toBe(0b1);
  });

  test('the quirk loses the last item of an entry, and its dirty state', () => {
    const domain = tracked(['contiguous-dirty-tail']);
    write(domain, 0b0010);
    expect(read(domain, 0x800)).toBe(0b0100);
    expect(domain.calls.machine.takeNeeded()).toEqual(['contiguous-dirty-tail']);
    expect(read(domain, 0x800)).toBe(0);
  });

  test('the quirk that never returns is refused, not followed', () => {
    const domain = tracked(['contiguous-dirty-tail', 'endless-dirty-walk']);
    write(domain, 0b0001);
    expect(() => read(domain, 0x800, 0, 0x800, 0x800)).toThrow(Unjudged);
  });

  test('the walk ends at the first hole; an unmap takes dirty state with it', () => {
    const domain = tracked();
    const { calls } = domain;
    expect(calls.call(0x3b85, 7, 1, 0, BUFFER, 0, 0x1000, 0, IOVA + 0x5000, 0).ret).toBe(0);
    write(domain, 0b0001);
    expect(read(domain, 0x1000, 1, 0, 0x6000)).toBe(0b1);
    expect(calls.call(0x3b86, 1, IOVA, 0, 0x4000, 0).ret).toBe(0);
    expect(calls.call(0x3b85, 7, 1, 0, BUFFER, 0, 0x4000, 0, IOVA, 0).ret).toBe(0);
    expect(read(domain, 0x1000)).toBe(0);
  });

  test('a domain without tracking has no bitmap', () => {
    const { calls } = tracked();
    const own = calls.mock(12, 1, 0, 0, 0, 0).struct.u32(20);
    expect(calls.call(0x3b8c, own, 0, 0, IOVA, 0, 0x1000, 0, 0x1000, 0, BITMAP, 0).ret).toBe(-95);
    expect(calls.call(0x3b8b, 1, own, 0).ret).toBe(-95);
  });
});
