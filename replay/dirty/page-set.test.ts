import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MappedRanges } from './mapped-ranges.ts';
import { PageSet } from './page-set.ts';

/** Pages around the edges of words and chunks, and far apart. */
const page = fc.oneof(
  fc.nat(200),
  fc.integer({ min: 32_600, max: 33_000 }),
  fc.nat(200).map((n) => 2 ** 45 + n),
);
const step = fc.record({ what: fc.constantFrom('add', 'range', 'delete', 'clear'), page, pages: fc.nat(300) });

test('a page set is a set', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.array(page), (steps, others) => {
      const set = new PageSet();
      const naive = new Set<number>();
      for (const one of steps) {
        if (one.what === 'add') {
          expect(set.add(one.page)).toBe(!naive.has(one.page));
          naive.add(one.page);
        } else if (one.what === 'delete') expect(set.delete(one.page)).toBe(naive.delete(one.page));
        else if (one.what === 'clear' && one.pages < 20) {
          set.clear();
          naive.clear();
        } else {
          const before = naive.size;
          for (let p = one.page; p < one.page + one.pages; p++) naive.add(p);
          expect(set.addRange(one.page, one.pages)).toBe(naive.size - before);
        }
      }
      const sorted = [...naive].sort((a, b) => a - b);
      expect([...set.pages()]).toEqual(sorted);
      expect(set.size).toBe(naive.size);
      expect(set.runs()).toBe(sorted.filter((p) => !naive.has(p - 1)).length);
      const other = new PageSet();
      for (const p of others) {
        other.add(p);
        expect(set.has(p)).toBe(naive.has(p));
        expect(set.next(p, p + 40_000)).toBe(sorted.find((q) => q >= p && q < p + 40_000) ?? -1);
      }
      expect(set.without(other)).toBe(sorted.filter((p) => !others.includes(p)).length);
    }),
  );
});

test('pages scattered over too much memory are refused', () => {
  const set = new PageSet();
  expect(() => {
    for (let i = 0; i <= 65_536; i++) set.add(i * 32_768);
  }).toThrow(/scattered/);
});

test('mapped ranges tell what was missing and what was there', () => {
  const range = fc.record({ add: fc.boolean(), page: fc.nat(120), pages: fc.integer({ min: 1, max: 40 }) });
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), (steps) => {
      const ranges = new MappedRanges();
      const naive = new Set<number>();
      for (const { add, page: from, pages } of steps) {
        const told: number[] = [];
        const tell = (at: number, count: number): void => {
          for (let i = 0; i < count; i++) told.push(at + i);
        };
        const inside = Array.from({ length: pages }, (_, i) => from + i);
        const expected = inside.filter((p) => naive.has(p) !== add);
        if (add) ranges.add(from, pages, tell);
        else ranges.remove(from, pages, tell);
        for (const p of inside) {
          if (add) naive.add(p);
          else naive.delete(p);
        }
        expect(told).toEqual(expected);
      }
      const all: number[] = [];
      ranges.each((at, count) => {
        expect(naive.has(at - 1) || naive.has(at + count)).toBe(false);
        for (let i = 0; i < count; i++) all.push(at + i);
      });
      expect(all).toEqual([...naive].sort((a, b) => a - b));
      expect(ranges.pages).toBe(naive.size);
    }),
  );
});
