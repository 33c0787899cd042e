import { describe, expect, test } from 'vitest';
import { AddressSpace } from './address-space.ts';
import { Backing } from './backing.ts';
import { iommufdIoctls } from './families.ts';
import { HWPT_FLAG } from './hwpt.ts';
import { runIoctl } from './ioctl.ts';
import { mockBackend } from './mock/mock-backend.ts';
import type { QuirkName } from './quirks.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';
import { StructView } from './struct-view.ts';
import { Unjudged } from './unjudged.ts';
import { vfioCompat } from './vfio/compat.ts';

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

  test('to enable tracking, once more too, clears all; to disable it clears nothing, and marks nothing from then on', () => {
    const domain = tracked();
    const set = (flags: number): number => domain.calls.call(0x3b8b, flags, domain.hwpt, 0).ret;
    write(domain, 0b0110);
    expect(set(1)).toBe(0);
    expect(read(domain, 0x1000, 1)).toBe(0);
    write(domain, 0b0101);
    expect(set(0)).toBe(0);
    expect(read(domain, 0x1000, 1)).toBe(0b0101);
    // the mock's hardware is off
    domain.calls.process.memory.remember(BITMAP, Uint8Array.of(0b1000));
    expect(domain.calls.mock(13, domain.hwpt, 0, 0, IOVA, 0, 0x4000, 0, 0x1000, 0, BITMAP, 0, 0, 0).ret).toBe(-22);
    expect(read(domain, 0x1000, 1)).toBe(0b0101);
    expect(set(1)).toBe(0);
    expect(read(domain, 0x1000)).toBe(0);
  });

  test('a domain without tracking has no bitmap', () => {
    const { calls } = tracked();
    const own = calls.mock(12, 1, 0, 0, 0, 0).struct.u32(20);
    expect(calls.call(0x3b8c, own, 0, 0, IOVA, 0, 0x1000, 0, 0x1000, 0, BITMAP, 0).ret).toBe(-95);
    expect(calls.call(0x3b8b, 1, own, 0).ret).toBe(-95);
  });

  test.each([0x2000, 0x4000, 0x1_0000, 0x2_0000, 0x5_0000, 0x400_0000, 0x800_0000])(
    '%i bytes: every second half page, wherever the bitmap starts, cleared or not',
    (bytes) => {
      const calls = new SimulatedCalls(mockBackend);
      calls.call(0x3b81, 0, 0);
      expect(calls.call(0x3b87, 1, 0, 1, 0, 0).ret).toBe(0);
      const device = calls.mock(2, 1, 0, 0).struct.u32(24);
      expect(calls.call(0x3b85, 7, 1, 0, BUFFER, 0, bytes, 0, IOVA, 0).ret).toBe(0);
      const hwpt = calls.call(0x3b89, HWPT_FLAG.dirty, device, 1, 0, 0, 0, 0, 0, 0).struct.u32(16);
      expect(calls.call(0x3b8b, 1, hwpt, 0).ret).toBe(0);
      const size = bytes / 0x800 / 8 < 1 ? 1 : bytes / 0x800 / 8;
      const pages = new Uint8Array(size).fill(0x55);
      if (bytes / 0x800 < 8) pages[0] = 0x5;
      const none = new Uint8Array(size);
      for (const at of [BITMAP, BITMAP + 0x800, BITMAP + 0xff1]) {
        const get = (flags: number): Uint8Array | undefined => {
          calls.process.memory.remember(at, none);
          expect(calls.call(0x3b8c, hwpt, flags, 0, IOVA, 0, bytes, 0, 0x800, 0, at, 0).ret).toBe(0);
          return calls.process.memory.recall(at, size);
        };
        calls.process.memory.remember(at, pages);
        const dirty = calls.mock(13, hwpt, 0, 0, IOVA, 0, bytes, 0, 0x800, 0, at, 0, 0, 0);
        expect(dirty.struct.u32(56)).toBe(bytes / 0x1000);
        // Half pages are equal items of an entry of one page: a write to one makes both dirty.
        const whole = pages.map((byte) => byte | (byte << 1));
        for (const flags of [1, 1, 0]) expect(get(flags)).toEqual(whole);
        expect(get(0)).toEqual(none);
      }
    },
  );
});

describe('entries of 1 MiB items', () => {
  const HUGE = 0x4000_0000;
  const MIB = 0x10_0000;

  /** `bytes` from the start of a huge page as one entry, dirty. */
  function huge(bytes: number, quirks: readonly QuirkName[] = []) {
    const calls = new SimulatedCalls(mockBackend, quirks);
    const backing = new Backing(undefined, 21);
    calls.process.memory.map({ start: HUGE, end: HUGE + 2 * MIB, prot: 3, shared: true, backing, page: 0 });
    calls.call(0x3b81, 0, 0);
    const device = calls.mock(2, 1, 0, 0).struct.u32(24);
    const hwpt = calls.call(0x3b89, HWPT_FLAG.dirty, device, 1, 0, 0, 0, 0, 0, 0).struct.u32(16);
    expect(calls.call(0x3b85, 7, 1, 0, HUGE, 0, bytes, 0, IOVA, 0).ret).toBe(0);
    expect(calls.call(0x3b8b, 1, hwpt, 0).ret).toBe(0);
    calls.process.memory.remember(BITMAP, Uint8Array.of(1));
    calls.mock(13, hwpt, 0, 0, IOVA, 0, 0x1000, 0, 0x1000, 0, BITMAP, 0, 0, 0);
    /** Bits set, first and last, of 64 KiB each. */
    const bits = (from: number, length: number, at = BITMAP): string => {
      calls.process.memory.remember(at, new Uint8Array(64));
      expect(calls.call(0x3b8c, hwpt, 1, 0, IOVA + from, 0, length, 0, 0x1_0000, 0, at, 0).ret).toBe(0);
      const bytesSet = calls.process.memory.recall(at, 64) ?? new Uint8Array(0);
      const all = [...bytesSet].flatMap((byte, i) =>
        [0, 1, 2, 3, 4, 5, 6, 7].filter((b) => byte & (1 << b)).map((b) => i * 8 + b),
      );
      return all.length === 0 ? '' : `${all[0]}-${all.at(-1)}`;
    };
    return { calls, hwpt, bits };
  }

  test('one item is told whole from where the walk meets it', () => {
    const { bits } = huge(MIB);
    expect(bits(0, MIB)).toBe('0-15');
    expect(bits(0, 0x1_0000)).toBe('0-15');
    expect(bits(0x8_0000, 0x1_0000)).toBe('0-15');
  });

  test('of two items as many are told as the request reaches into', () => {
    const { bits } = huge(2 * MIB);
    expect(bits(0, 2 * MIB)).toBe('0-31');
    expect(bits(0, MIB)).toBe('0-15');
    expect(bits(0, MIB + 0x1_0000)).toBe('0-31');
  });

  test('the quirk takes the last item for the one behind it', () => {
    const { bits } = huge(2 * MIB, ['contiguous-dirty-tail']);
    expect(bits(0, 2 * MIB)).toBe('0-15');
    expect(bits(0, MIB)).toBe('0-15');
    expect(bits(0, MIB + 0x1_0000)).toBe('0-15');
    expect(bits(0x8_0000, 2 * MIB - 0x8_0000)).toBe('0-15');
  });

  test('bits behind the bitmap are set up to the end of its last pinned page', () => {
    const { calls, hwpt } = huge(MIB);
    const { memory } = calls.process;
    for (const [at, last] of [
      [BITMAP, 0x1000],
      [BITMAP + 0xff0, 0x2000],
    ] as const) {
      memory.remember(BITMAP, new Uint8Array(0x4000));
      expect(calls.call(0x3b8c, hwpt, 1, 0, IOVA, 0, 0x800, 0, 1, 0, at, 0).ret).toBe(0);
      const set = memory.recall(BITMAP, 0x4000) ?? new Uint8Array(0);
      expect([set.indexOf(0xff), set.lastIndexOf(0xff) + 1]).toEqual([at - BITMAP, last]);
    }
  });

  test('what goes beyond the bitmap need not have been recorded', () => {
    const { calls, hwpt } = huge(MIB);
    const { process, context } = calls;
    const memory = new AddressSpace({ complete: true });
    memory.map({ start: BITMAP, end: BITMAP + 0x1000, prot: 3, shared: true, backing: new Backing(), page: 0 });
    process.memory = memory;
    const struct = new StructView(new Uint8Array(48));
    for (const [i, word] of [48, hwpt, 1, 0, IOVA, 0, 0x8000, 0, 0x800, 0, BITMAP, 0].entries())
      struct.setU32(i * 4, word);
    const regions = [
      { address: calls.argument, bytes: struct.bytes, after: undefined, unknown: false },
      { address: BITMAP, bytes: new Uint8Array(2), after: undefined as Uint8Array | undefined, unknown: false },
    ];
    memory.begin(regions);
    expect(runIoctl(iommufdIoctls, vfioCompat, context, process, 0x3b8c, BigInt(calls.argument))).toBe(0);
    expect(memory.unrecordedWrites).toBe(0);
    expect(regions[1]?.after).toEqual(Uint8Array.of(0xff, 0xff));
    memory.end();
  });

  test('a page of the bitmap that can not be written loses what starts in it', () => {
    const { calls, hwpt } = huge(MIB);
    const { memory } = calls.process;
    memory.protect(BITMAP, 0x1000, 1);
    memory.remember(BITMAP, new Uint8Array(0x2000));
    expect(calls.call(0x3b8c, hwpt, 1, 0, IOVA, 0, 0x800, 0, 1, 0, BITMAP + 0xff0, 0).ret).toBe(0);
    expect(memory.recall(BITMAP, 0x2000)).toEqual(new Uint8Array(0x2000));
  });
});
