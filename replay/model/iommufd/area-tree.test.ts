import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Area, AreaTree, U64_MAX } from './area-tree.ts';
import { Backing } from './backing.ts';
import { Pages } from './pages.ts';

const pages = new Pages({ kind: 'file', backing: new Backing(), pinnable: true }, 0, 1, true);

function areaOf(start: number, length: number): Area {
  return new Area(BigInt(start), BigInt(start + length - 1), pages, 0, 3);
}

describe('areas of an IOAS', () => {
  test('look-ups and gaps are those of a plain list', () => {
    const step = fc.tuple(fc.boolean(), fc.nat(4000), fc.integer({ min: 1, max: 30 }));
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.nat(4000),
        fc.integer({ min: 1, max: 60 }),
        (steps, from, length) => {
          const tree = new AreaTree();
          const list: Area[] = [];
          for (const [add, start, size] of steps) {
            const area = areaOf(start, size);
            const hit = list.find((other) => other.start <= area.last && other.last >= area.start);
            if (add && hit === undefined) {
              tree.insert(area);
              list.push(area);
            } else if (!add && hit !== undefined) {
              tree.remove(hit);
              list.splice(list.indexOf(hit), 1);
            }
            list.sort((a, b) => Number(a.start - b.start));
            expect(tree.first(BigInt(start), BigInt(start + size))).toBe(
              list.find((other) => other.start <= BigInt(start + size) && other.last >= BigInt(start)),
            );
          }
          expect([...tree.values()]).toEqual(list);
          expect(tree.size).toBe(list.length);
          let at = BigInt(from);
          for (const area of list) {
            if (area.last < at) continue;
            if (area.start >= at && area.start - at >= BigInt(length)) break;
            at = area.last + 1n;
          }
          const next = list.find((area) => area.start >= at);
          expect(tree.gap(BigInt(from), BigInt(length))).toEqual({
            start: at,
            last: next === undefined ? U64_MAX : next.start - 1n,
          });
        },
      ),
    );
  });

  test('no gap where what is behind the last area is too short', () => {
    const tree = new AreaTree();
    tree.insert(new Area(0n, U64_MAX - 10n, pages, 0, 3));
    expect(tree.gap(0n, 10n)).toEqual({ start: U64_MAX - 9n, last: U64_MAX });
    expect(tree.gap(0n, 11n)).toBeUndefined();
  });

  test.each([
    ['ascending', (i: number) => i],
    ['descending', (i: number) => 19_999 - i],
    ['scattered', (i: number) => (i * 7919) % 20_000],
  ])('%s insertions and removals keep the tree flat', (_name, place) => {
    const tree = new AreaTree();
    const areas = Array.from({ length: 20_000 }, (_, i) => areaOf(place(i) * 2, 1));
    for (const area of areas) tree.insert(area);
    expect([...tree.values()].map(({ start }) => Number(start))).toEqual(
      Array.from({ length: 20_000 }, (_, i) => i * 2),
    );
    // 64 to a node, at least a quarter of it used: 20,000 need 3 levels, at worst 4.
    expect(tree.height).toBeGreaterThanOrEqual(3);
    expect(tree.height).toBeLessThanOrEqual(4);
    expect(tree.gap(0n, 2n)).toEqual({ start: 39_999n, last: U64_MAX });
    for (const area of areas.slice(0, 10_000)) tree.remove(area);
    const left = areas.slice(10_000).toSorted((a, b) => Number(a.start - b.start));
    expect([...tree.values()]).toEqual(left);
    for (const area of areas.slice(10_000)) {
      expect(tree.first(area.start, area.last)).toBe(area);
      tree.remove(area);
      expect(tree.first(area.start, area.last)).toBeUndefined();
    }
    expect([tree.size, tree.height]).toEqual([0, 1]);
  });

  test('addresses beyond 2^53 are told apart to the byte', () => {
    const tree = new AreaTree();
    const base = 0xfedc_ba98_0000_0000n;
    const areas = Array.from({ length: 300 }, (_, i) => {
      const start = base + BigInt(i) * 0x1_0000_0003n;
      return new Area(start, start + 0x1_0000_0000n, pages, 0, 3);
    });
    for (const area of areas) tree.insert(area);
    for (const { start, last } of areas) {
      expect(tree.first(start - 1n, start - 1n)).toBeUndefined();
      expect(tree.first(last + 1n, last + 1n)).toBeUndefined();
      expect(tree.first(start - 1n, start)?.start).toBe(start);
      expect(tree.first(last, last + 1n)?.last).toBe(last);
    }
    expect(tree.gap(base, 2n)).toEqual({ start: base + 0x1_0000_0001n, last: base + 0x1_0000_0002n });
    expect(tree.gap(base, 3n)?.last).toBe(U64_MAX);
    expect(tree.gap(base + 0x1_0000_0002n, 2n)?.start).toBe(base + 0x2_0000_0004n);
  });
});
