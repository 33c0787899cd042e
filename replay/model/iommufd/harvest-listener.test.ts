import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backing } from './backing.ts';
import type { DirtyLoss } from './harvest-listener.ts';
import { HWPT_FLAG } from './hwpt.ts';
import { mockBackend } from './mock/mock-backend.ts';
import type { QuirkName } from './quirks.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';

const IOVA = 0x100_0000;
const BITMAP = BUFFER + 0x10_0000;
const HUGE = 0x4000_0000;
const MIB = 0x10_0000;
const BITMAP_BYTES = 512;

interface Request {
  /** Pages of 4 KiB that are written. */
  readonly written: readonly number[];
  /** Log2 of what a bit stands for. */
  readonly shift: number;
  /** In units of bits. */
  readonly from: number;
  readonly bits: number;
  readonly keep: boolean;
}

/** 4 MiB, of pages that are apart or of two huge ones, after writes and one request; what the listener was told. */
function harvested(huge: boolean, { written, shift, from, bits, keep }: Request, quirks: readonly QuirkName[]) {
  const calls = new SimulatedCalls(mockBackend, quirks);
  const { memory } = calls.process;
  const backing = new Backing(undefined, 21);
  memory.map({ start: HUGE, end: HUGE + 4 * MIB, prot: 3, shared: true, backing, page: 0 });
  calls.call(0x3b81, 0, 0);
  const device = calls.mock(2, 1, 0, 0).struct.u32(24);
  const hwpt = calls.call(0x3b89, HWPT_FLAG.dirty, device, 1, 0, 0, 0, 0, 0, 0).struct.u32(16);
  expect(calls.call(0x3b85, 7, 1, 0, huge ? HUGE : BUFFER, 0, 4 * MIB, 0, IOVA, 0).ret).toBe(0);
  expect(calls.call(0x3b8b, 1, hwpt, 0).ret).toBe(0);
  const mask = new Uint8Array(128);
  for (const page of written) mask[page >> 3] = (mask[page >> 3] ?? 0) | (1 << (page & 7));
  memory.remember(BITMAP, mask);
  calls.mock(13, hwpt, 0, 0, IOVA, 0, 4 * MIB, 0, 0x1000, 0, BITMAP, 0, 0, 0);
  const losses: DirtyLoss[] = [];
  const told = { bits: 0, bytes: 0n, entries: 0 as number | null };
  calls.machine.harvests = {
    reported: (_start, _bytes, set) => (told.bits += set),
    dirtyLost: (loss) => losses.push(loss),
    walked: (bytes, entries) => Object.assign(told, { bytes, entries }),
  };
  memory.remember(BITMAP, new Uint8Array(BITMAP_BYTES));
  const size = 2 ** shift;
  const words = [IOVA + from * size, 0, bits * size, 0, size, 0, BITMAP, 0];
  expect(calls.call(0x3b8c, hwpt, keep ? 1 : 0, 0, ...words).ret).toBe(0);
  const bytes = memory.recall(BITMAP, BITMAP_BYTES) ?? new Uint8Array(BITMAP_BYTES);
  const set = Array.from({ length: bits }, (_, bit) => ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1);
  return { set, losses, told };
}

const requests = fc.integer({ min: 11, max: 21 }).chain((shift) => {
  const all = (4 * MIB) / 2 ** shift;
  return fc.record({
    written: fc.uniqueArray(fc.nat(1023), { maxLength: 12 }),
    shift: fc.constant(shift),
    from: fc.nat(all - 1),
    bits: fc.integer({ min: 1, max: all }),
    keep: fc.boolean(),
  });
});

test('what the defect loses is told: it and the bitmap are together what a kernel without it reports', () => {
  const seen = { lost: 0, requests: 0 };
  fc.assert(
    fc.property(requests, fc.boolean(), ({ bits, ...rest }, huge) => {
      const all = (4 * MIB) / 2 ** rest.shift;
      // one that begins inside an entry is told of as many bytes behind its items, which is no loss
      const entryBits = (huge ? 2 * MIB : 0x1000) / 2 ** rest.shift;
      const from = entryBits <= 1 ? rest.from : rest.from - (rest.from % entryBits);
      const request = { ...rest, from, bits: Math.min(bits, all - from) };
      const right = harvested(huge, request, []);
      const wrong = harvested(huge, request, ['contiguous-dirty-tail']);
      const together = [...wrong.set];
      for (const { cause, bits: range, cleared, iova, shift } of wrong.losses) {
        expect([cause, cleared, iova, shift]).toEqual([
          'contiguous-dirty-tail',
          !request.keep,
          BigInt(IOVA + request.from * 2 ** request.shift),
          request.shift,
        ]);
        for (let bit = range[0]; bit <= range[1]; bit++) {
          expect(together[bit]).toBe(0);
          together[bit] = 1;
          seen.lost++;
        }
      }
      seen.requests++;
      expect(together).toEqual(right.set);
      expect(right.losses).toEqual([]);
      expect(right.told.bytes).toBe(BigInt(request.bits * 2 ** request.shift));
      // entries that a request cuts are read whole
      expect(right.told.entries).toBeGreaterThan(0);
      if (request.shift <= 12) expect(right.told.bits).toBe(right.set.reduce((sum, bit) => sum + bit, 0));
    }),
    { numRuns: 60 },
  );
  expect(seen.requests).toBeGreaterThan(20);
  expect(seen.lost).toBeGreaterThan(0);
});
