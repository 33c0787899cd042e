import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IovaAllocator } from './iova-allocator.ts';
import { IovaRanges } from './iova-ranges.ts';

const TOP = 0x100000;

describe('ranges of an I/O address space', () => {
  test('come from the top down, each aligned to its size', () => {
    const ranges = new IovaRanges(TOP);
    expect([1, 1, 4, 1].map((pages) => ranges.insert(pages))).toEqual([0xfffff, 0xffffe, 0xffff8, 0xffff7]);
  });

  test('a freed place above the newest range is used before what lies below', () => {
    const ranges = new IovaRanges(TOP);
    const [first, second, third] = [ranges.insert(1), ranges.insert(1), ranges.insert(1)];
    ranges.remove(first);
    expect(ranges.insert(1)).toBe(first);
    ranges.remove(second);
    ranges.remove(third);
    expect([ranges.insert(1), ranges.insert(1)]).toEqual([second, third]);
  });

  test('a full space is refused, and page 0 is never handed out', () => {
    const ranges = new IovaRanges(8);
    for (let page = 7; page > 0; page--) expect(ranges.insert(1)).toBe(page);
    expect(() => ranges.insert(1)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    ranges.remove(5);
    expect(ranges.insert(1)).toBe(5);
    expect(() => ranges.remove(9)).toThrow(RangeError);
  });
});

describe("Linux's allocator of I/O addresses", () => {
  test('the newest freed page comes first, on the CPU that freed it', () => {
    const iova = new IovaAllocator(2, TOP, 32);
    const pages = [iova.allocate(0, 1), iova.allocate(0, 1), iova.allocate(0, 1)];
    for (const page of pages) iova.release(1, page, 1);
    expect([iova.allocate(1, 1), iova.allocate(1, 1), iova.allocate(1, 1)]).toEqual(pages.toReversed());
    expect(iova.allocate(0, 1)).toBe(0xffffc);
  });

  test('a CPU keeps two magazines of 127; the next one goes to the depot, where all find it', () => {
    const iova = new IovaAllocator(2, TOP, 32);
    const pages = Array.from({ length: 255 }, () => iova.allocate(0, 1));
    for (const page of pages.slice(0, 254)) iova.release(0, page, 1);
    // both magazines are full, the depot is empty: CPU 1 has nothing but the tree
    expect(iova.allocate(1, 1)).toBe(0xfffff - 255);
    iova.release(0, pages[254] ?? 0, 1);
    expect(iova.allocate(1, 1)).toBe(pages[253]);
  });

  test('what the depot has no room for goes back to the tree', () => {
    const iova = new IovaAllocator(2, TOP, 0);
    const pages = Array.from({ length: 300 }, () => iova.allocate(0, 1));
    for (const page of pages) iova.release(0, page, 1);
    // 127 to 253 were pushed out by the 255th; the highest of them is free again
    expect(iova.allocate(1, 1)).toBe(pages[127]);
  });

  test('orders above 32 pages are not kept', () => {
    const iova = new IovaAllocator(1, TOP, 32);
    const large = iova.allocate(0, 64);
    iova.release(0, large, 64);
    expect(iova.allocate(0, 64)).toBe(large);
    expect(iova.allocate(0, 33) % 64).toBe(0);
  });

  test('no two ranges that are held overlap, and all are aligned', () => {
    const step = fc.record({
      cpu: fc.integer({ min: 0, max: 2 }),
      pages: fc.constantFrom(1, 1, 1, 2, 3, 4, 32, 33, 256),
      release: fc.boolean(),
      pick: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 800 }), fc.constantFrom(0, 1, 32), (steps, depot) => {
        const iova = new IovaAllocator(3, TOP, depot);
        const held: { first: number; pages: number }[] = [];
        const taken = new Set<number>();
        for (const { cpu, pages, release, pick } of steps) {
          const [going] = release && held.length > 0 ? held.splice(pick % held.length, 1) : [];
          if (going !== undefined) {
            for (let i = 0; i < going.pages; i++) taken.delete(going.first + i);
            iova.release(cpu, going.first, going.pages);
            continue;
          }
          const first = iova.allocate(cpu, pages);
          expect(first % 2 ** Math.ceil(Math.log2(pages))).toBe(0);
          for (let i = 0; i < pages; i++) {
            expect(taken.has(first + i)).toBe(false);
            taken.add(first + i);
          }
          held.push({ first, pages });
        }
      }),
      { numRuns: 60 },
    );
  });
});
