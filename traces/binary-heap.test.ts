import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BinaryHeap } from './binary-heap.ts';

interface Item {
  readonly key: number;
  readonly number: number;
}

function countingHeap(): { heap: BinaryHeap<Item>; comparisons: () => number } {
  let count = 0;
  const heap = new BinaryHeap<Item>((a, b) => {
    count++;
    return a.key < b.key || (a.key === b.key && a.number < b.number);
  });
  return { heap, comparisons: () => count };
}

test('things come out in order, equal ones as they came', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 80 }), (keys) => {
      const { heap } = countingHeap();
      keys.forEach((key, number) => heap.add({ key, number }));
      const out: Item[] = [];
      while (heap.size > 0) {
        const { first } = heap;
        out.push(heap.removeFirst()!);
        expect(out.at(-1)).toBe(first);
      }
      expect(heap.removeFirst()).toBeUndefined();
      const inOrder = keys.map((key, number) => ({ key, number })).toSorted((a, b) => a.key - b.key);
      expect(out).toEqual(inOrder);
    }),
  );
});

test.each([
  ['in order', (i: number) => i],
  ['in the opposite order', (i: number) => -i],
  ['in no order', (i: number) => Math.imul(i, 0x9e3779b1)],
])('what comes %s takes a number of comparisons that grows with the logarithm', (_, key) => {
  const { heap, comparisons } = countingHeap();
  const count = 20_000;
  const bits = Math.ceil(Math.log2(count));
  for (let i = 0; i < count; i++) heap.add({ key: key(i), number: i });
  expect(comparisons()).toBeLessThanOrEqual(count * bits);
  while (heap.size > 0) heap.removeFirst();
  expect(comparisons()).toBeLessThanOrEqual(count * bits * 3);
});
