import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Area, AreaTree, U64_MAX } from './area-tree.ts';
import { Backing } from './backing.ts';
import { Pages } from './pages.ts';

const pages = new Pages({ kind: 'file', backing: new Backing(), start: 0, pinnable: true }, 1, true);

function areaOf(start: number, length: number): Area {
  return new Area(BigInt(start), BigInt(start + length - 1), pages, 0, 3);
}

describe('areas of an IOAS', () => {
  test('look-ups and gaps are those of a plain list', () => {
    const step = fc.tuple(fc.boolean(), fc.nat(400), fc.integer({ min: 1, max: 30 }));
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.nat(400),
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

  test('ascending insertions stay balanced', () => {
    const tree = new AreaTree();
    for (let i = 0; i < 20000; i++) tree.insert(areaOf(i * 2, 1));
    let depth = 0;
    const walk = (node: Area | undefined, level: number): void => {
      if (node === undefined) return;
      depth = Math.max(depth, level);
      walk(node.left, level + 1);
      walk(node.right, level + 1);
    };
    const first = [...tree.values()];
    const children = new Set(first.flatMap((area) => [area.left, area.right]));
    walk(
      first.find((area) => !children.has(area)),
      1,
    );
    expect(depth).toBeGreaterThan(14);
    expect(depth).toBeLessThan(60);
  });
});
