import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sketchedStream } from './testing/sketched-stream.ts';
import type { Sketch } from './testing/sketched-stream.ts';
import { writtenBlocks } from './written-blocks.ts';

const PAGES = 64;
const map: Sketch = { what: 'map', page: 0, pages: PAGES, at: 0 };

test('is what all windows of the repeated stream write on average', () => {
  const write = fc.record({ page: fc.nat(PAGES - 5), pages: fc.integer({ min: 1, max: 4 }), at: fc.nat(39) });
  fc.assert(
    fc.property(
      fc.array(write, { minLength: 1, maxLength: 40 }),
      fc.constantFrom(12, 13, 15),
      fc.uniqueArray(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 }),
      (writes, shift, lengths) => {
        const period = 40;
        const ordered = writes.toSorted((a, b) => a.at - b.at);
        const stream = sketchedStream([map, ...ordered.map((one): Sketch => ({ what: 'write', ...one }))], period);
        const windows = lengths.toSorted((a, b) => a - b);
        const found = writtenBlocks(stream, shift, windows);
        for (const [i, window] of windows.entries()) {
          let sum = 0;
          for (let from = 0; from < period; from++) {
            const blocks = new Set<number>();
            for (let at = from; at < from + window; at++) {
              for (const one of ordered.filter((w) => w.at === at % period)) {
                for (let p = one.page; p < one.page + one.pages; p++) blocks.add(p >> (shift - 12));
              }
            }
            sum += blocks.size;
          }
          expect(found[i]).toBeCloseTo(sum / period, 9);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('a block that is mapped again is written anew, and what is not mapped is not written', () => {
  const sketch: Sketch[] = [
    map,
    { what: 'write', page: 1, at: 10 },
    { what: 'write', page: 200, at: 11 },
    { what: 'unmap', page: 0, pages: 8, at: 12 },
    { what: 'map', page: 0, pages: 8, at: 13 },
    { what: 'write', page: 1, at: 14 },
  ];
  // two writes in 100 ns that are the first of their mapping
  expect(writtenBlocks(sketchedStream(sketch, 100), 12, [1, 50])).toEqual([2 / 100, 1]);
});
