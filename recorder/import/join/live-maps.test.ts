import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LiveMaps } from './live-maps.ts';

interface Held {
  readonly slot: number;
  readonly page: number;
  readonly pages: number;
}

/** Small ranges near each other, ranges of whole 2 MiB and 1 GiB blocks and odd ends, and addresses above 32 bits. */
const range = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 12 })),
  fc.tuple(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 400, max: 3000 })),
  fc.tuple(fc.constant(0x100000), fc.integer({ min: 262_000, max: 600_000 })),
  fc.tuple(fc.constant(2 ** 40 - 3), fc.integer({ min: 1, max: 8 })),
);

const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), range }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), at: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), at: fc.nat(50), range }) },
);

test('finds what a plain list finds, whatever was added, removed and cut', () => {
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 60 }),
      fc.array(range, { minLength: 1, maxLength: 20 }),
      (ops, probes) => {
        const live = new LiveMaps();
        const held: Held[] = [];
        ops.forEach((op, row) => {
          if (op.kind === 'add') {
            const [page, pages] = op.range;
            held.push({ slot: live.add(page, pages, page + 7, row), page, pages });
          } else if (held.length > 0) {
            const [target] = held.splice(op.at % held.length, 1);
            const { slot, page, pages } = target!;
            if (op.kind === 'remove') live.remove(slot);
            else {
              const from = op.range[0];
              const to = from + op.range[1];
              if (from >= page + pages || to <= page) {
                held.push(target!);
                return;
              }
              const inside = live.cut(slot, from, to);
              expect(live.phys[inside]! - live.page[inside]!).toBe(7);
              live.remove(inside);
              if (page < from) held.push({ slot: -1, page, pages: from - page });
              if (page + pages > to) held.push({ slot: -1, page: to, pages: page + pages - to });
              // The parts have slots of their own; ask for them.
              for (const [k, part] of held.entries()) {
                if (part.slot >= 0) continue;
                const all = overlappingOf(live, part.page, part.pages);
                const own = all.find(
                  (s) =>
                    live.page[s] === part.page &&
                    live.pages[s] === part.pages &&
                    !held.some((other) => other.slot === s),
                );
                expect(own).toBeDefined();
                held[k] = { ...part, slot: own! };
              }
            }
          }
        });
        expect(live.count).toBe(held.length);
        for (const [page, pages] of probes) {
          const here: number[] = [];
          const n = live.find(page, here);
          const expected = held
            .filter((map) => map.page <= page && page < map.page + map.pages)
            .map(({ slot }) => slot);
          expect(new Set(here.slice(0, n))).toEqual(new Set(expected));
          const overlapping = held.filter((map) => map.page < page + pages && page < map.page + map.pages);
          expect(new Set(overlappingOf(live, page, pages))).toEqual(new Set(overlapping.map(({ slot }) => slot)));
        }
      },
    ),
    { numRuns: 150 },
  );
});

function overlappingOf(live: LiveMaps, page: number, pages: number): number[] {
  const here: number[] = [];
  return here.slice(0, live.overlapping(page, pages, here));
}

test('ten thousand maps of one page don\u2019t disturb the next page', () => {
  const live = new LiveMaps();
  const slots = Array.from({ length: 10_000 }, (_, i) => live.add(5, 1, i, i));
  live.add(6, 1, 1, 10_000);
  expect(live.find(5, [])).toBe(10_000);
  for (const slot of slots) live.remove(slot);
  expect(live.find(5, [])).toBe(0);
  expect(live.find(6, [])).toBe(1);
});
