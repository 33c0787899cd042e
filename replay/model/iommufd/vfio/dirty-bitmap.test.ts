import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Machine } from '../machine.ts';
import { mockBackend } from '../mock/mock-backend.ts';
import { simulatedProcess } from '../testing/simulated-process.ts';
import { fits, writeBitmap } from './dirty-bitmap.ts';

const PAGE = 0x1000n;
const DATA = 0x30_0000;

describe('dirty bitmaps of a TYPE1 container', () => {
  test('have a bit for every page, in whole words', () => {
    const request = { pageSize: PAGE, data: 0n };
    expect(fits({ ...request, bytes: 8n }, 64n * PAGE)).toBe(true);
    expect(fits({ ...request, bytes: 8n }, 65n * PAGE)).toBe(false);
    expect(fits({ ...request, bytes: 16n }, 65n * PAGE)).toBe(true);
    expect(fits({ ...request, bytes: 7n }, PAGE)).toBe(false);
    expect(fits({ ...request, bytes: 0n }, 0n)).toBe(false);
    expect(fits({ ...request, bytes: (256n << 20n) + 8n }, PAGE)).toBe(false);
    expect(fits({ pageSize: 0n, bytes: 8n, data: 0n }, PAGE)).toBe(false);
  });

  test('bits of pages before a mapping stay, all behind it in its last word are 0', () => {
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.integer({ min: 1, max: 200 }),
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        (first, pages, before) => {
          const process = simulatedProcess(new Machine(mockBackend));
          process.memory.remember(DATA, before);
          const dma = { iova: 0x10_0000n + BigInt(first) * PAGE, size: BigInt(pages) * PAGE };
          const request = { pageSize: PAGE, bytes: 64n, data: BigInt(DATA) };
          expect(writeBitmap(process, request, 0x10_0000n, dma)).toBe(true);
          const after = process.memory.recall(DATA, 64) ?? new Uint8Array(0);
          const bit = (bytes: Uint8Array, at: number): number => ((bytes[at >> 3] ?? 0) >> (at & 7)) & 1;
          const end = Math.ceil((first + pages) / 64) * 64;
          for (let at = 0; at < 512; at++) {
            const written = at >= first && at < end;
            expect(bit(after, at)).toBe(written ? Number(at < first + pages) : bit(before, at));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('memory that can’t be written is EFAULT', () => {
    const process = simulatedProcess(new Machine(mockBackend));
    const request = { pageSize: PAGE, bytes: 8n, data: 0x2000_0000n };
    expect(writeBitmap(process, request, 0n, { iova: 0n, size: PAGE })).toBe(false);
    expect(writeBitmap(process, request, 0n, { iova: PAGE, size: PAGE })).toBe(false);
  });
});
