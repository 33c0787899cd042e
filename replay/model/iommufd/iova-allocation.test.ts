import fc from 'fast-check';
import { expect, test } from 'vitest';
import { U64_MAX } from './area-tree.ts';
import type { IovaRange } from './backend.ts';
import { ERRNO } from './errno.ts';
import { mockBackend } from './mock/mock-backend.ts';
import { BUFFER, SimulatedCalls } from './simulated-calls.ts';

const PAGE = 4096n;
const HUGE = 0x20_0000n;

const low = (value: bigint): number => Number(value & 0xffff_ffffn);
const high = (value: bigint): number => Number(value >> 32n);
const wide = (...values: readonly bigint[]): number[] => values.flatMap((value) => [low(value), high(value)]);

/** The rule as it is told: of the spans that nothing uses in each allowed range, the first that takes the aligned range. */
function expected(
  used: readonly IovaRange[],
  allowed: readonly IovaRange[],
  smallest: bigint,
  address: bigint,
  length: bigint,
): bigint | number {
  let alignment = 1n;
  while (alignment < length) alignment *= 2n;
  if (address !== 0n) while (address % alignment !== 0n) alignment /= 2n;
  if (alignment > HUGE) alignment = HUGE;
  if (alignment < smallest) return -ERRNO.EINVAL;
  const up = (at: bigint): bigint => (((at + alignment - 1n) / alignment) * alignment) | (address % PAGE);
  const fits = (at: bigint, last: bigint): boolean => at < last && last - at >= length - 1n;
  const ranges = allowed.length === 0 ? [{ start: PAGE, last: U64_MAX - PAGE }] : joined(allowed);
  for (const range of ranges) {
    const from = up(range.start < PAGE ? PAGE : range.start);
    if (!fits(from, range.last)) continue;
    let at = from;
    for (const { start, last } of [...joined(used), { start: U64_MAX + 1n, last: U64_MAX + 1n }]) {
      const end = start - 1n < range.last ? start - 1n : range.last;
      if (at <= end && fits(up(at), end)) return up(at);
      if (last + 1n > at) at = last + 1n;
    }
  }
  return -ERRNO.ENOSPC;
}

/** In order, with those that touch made one. */
function joined(ranges: readonly IovaRange[]): IovaRange[] {
  const out: { start: bigint; last: bigint }[] = [];
  for (const { start, last } of [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1))) {
    const before = out.at(-1);
    if (before === undefined || before.last + 1n < start) out.push({ start, last });
    else if (last > before.last) before.last = last;
  }
  return out;
}

const unit = fc.nat(400).map((n) => BigInt(n) * 0x200n);
const span = fc.tuple(unit, fc.integer({ min: 1, max: 40 })).map(([start, n]) => {
  return { start, last: start + BigInt(n) * 0x200n - 1n };
});
const request = fc.record({
  address: fc.nat(64).map((n) => BigInt(n) * 0x200n + 0x1000_0000n),
  zero: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  length: fc.oneof(
    fc.integer({ min: 1, max: 48 }).map((n) => BigInt(n) * 0x200n),
    fc.constantFrom(0x123n, 0x80_0000n),
  ),
});

test('an address that is not given is the lowest that fits, aligned like its memory', () => {
  let found = 0;
  fc.assert(
    fc.property(
      fc.array(span, { maxLength: 12 }),
      fc.array(span, { maxLength: 6 }),
      fc.array(span, { maxLength: 3 }),
      fc.boolean(),
      fc.array(request, { minLength: 4, maxLength: 20 }),
      (fixed, reserved, allowed, pins, requests) => {
        const calls = new SimulatedCalls(mockBackend);
        const { struct } = calls.call(0x3b81, 0, 0);
        const id = struct.u32(8);
        if (pins) calls.mock(5, id, 0, 1);
        const map = (address: bigint, length: bigint, iova?: bigint) =>
          calls.call(0x3b85, iova === undefined ? 6 : 7, id, 0, ...wide(address, length, iova ?? 0n));
        const used: IovaRange[] = [];
        for (const { start, last } of reserved)
          if (calls.mock(1, id, ...wide(start, last - start + 1n)).ret === 0) used.push({ start, last });
        for (const { start, last } of fixed)
          if (map(0x1000_0000n, last - start + 1n, start).ret === 0) used.push({ start, last });
        const kept: IovaRange[] = [];
        for (const range of allowed)
          if (![...kept, ...used.slice(0, reserved.length)].some((r) => r.start <= range.last && r.last >= range.start))
            kept.push(range);
        calls.process.memory.poke(
          BUFFER,
          new Uint8Array(BigUint64Array.from(kept.flatMap((r) => [r.start, r.last])).buffer),
        );
        const taken = calls.call(0x3b82, id, kept.length, 0, BUFFER, 0).ret === 0 ? kept : [];
        for (const { address, zero, length } of requests) {
          const from = zero ? 0n : address;
          const answer = map(from, length);
          const smallest = pins ? PAGE : 1n;
          const should = length % smallest === 0n ? expected(used, taken, smallest, from, length) : -ERRNO.EINVAL;
          expect(answer.ret === 0 ? answer.struct.u64(32) : answer.ret).toBe(should);
          if (typeof should === 'number') continue;
          found++;
          used.push({ start: should, last: should + length - 1n });
        }
      },
    ),
    { numRuns: 200 },
  );
  expect(found).toBeGreaterThan(300);
});
