import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressReuse } from './address-reuse.ts';

describe('address reuse', () => {
  test('a mapping at held pages moves, unmaps and accesses follow, and it moves back once they are free', () => {
    const reuse = new AddressReuse(4);
    expect(reuse.map(1, 0x10, 2)).toBe(0x10);
    const first = reuse.hold(1, 0x10, 0x11);
    const place = reuse.map(1, 0x11, 2);
    expect(place).toBe(0x11 + 2 ** 24);
    expect([reuse.page(1, 0x10), reuse.page(1, 0x11), reuse.page(1, 0x12)]).toEqual([0x10, place, place + 1]);
    const runs: [number, number][] = [];
    reuse.runs(1, 0x10, 4, (page, pages) => runs.push([page, pages]));
    expect(runs).toEqual([
      [0x10, 1],
      [place, 2],
      [0x13, 1],
    ]);
    // the other domain has pages of its own
    expect(reuse.map(2, 0x10, 1)).toBe(0x10);
    reuse.release(first);
    expect(reuse.map(1, 0x11, 2)).toBe(0x11);
    expect(reuse.page(1, 0x12)).toBe(0x12);
    expect(reuse.movedMaps).toBe(1);
  });

  test('a design places mappings of any size; pages follow the newest, and go back', () => {
    const reuse = new AddressReuse(4);
    const runs = (first: number, pages: number): [number, number][] => {
      const found: [number, number][] = [];
      reuse.runs(1, first, pages, (page, count) => found.push([page, count]));
      return found;
    };
    reuse.put(1, 0x1000, 0x8000, 0x1_0000);
    expect([reuse.page(1, 0x1000), reuse.page(1, 0x8fff), reuse.page(1, 0x9000)]).toEqual([0x1_0000, 0x1_7fff, 0x9000]);
    expect(runs(0x1000, 0x8000)).toEqual([[0x1_0000, 0x8000]]);
    // small ones inside a large one, one of them where it was recorded
    reuse.put(1, 0x1002, 2, 0x5_0000);
    reuse.put(1, 0x1004, 1, 0x1004);
    expect(runs(0x1000, 6)).toEqual([
      [0x1_0000, 2],
      [0x5_0000, 2],
      [0x1004, 1],
      [0x1_0005, 1],
    ]);
    reuse.put(1, 0x1000, 0x8000, 0x1000);
    expect(runs(0x1000, 0x8000)).toEqual([[0x1000, 0x8000]]);
    expect(reuse.movedMaps).toBe(0);
    expect(reuse.page(2, 0x1002)).toBe(0x1002);
  });

  test('many held copies of one address are searched once, and a release is seen', () => {
    const reuse = new AddressReuse(4);
    const places: number[] = [];
    const holds: number[] = [];
    for (let i = 0; i < 50; i++) {
      const place = reuse.map(1, 0x10, 1);
      places.push(place);
      holds.push(reuse.hold(1, place, place));
    }
    expect(places).toEqual(Array.from({ length: 50 }, (_, i) => 0x10 + i * 2 ** 24));
    reuse.release(holds[7] ?? -1);
    expect(reuse.map(1, 0x10, 1)).toBe(0x10 + 7 * 2 ** 24);
  });

  test('places of high addresses share upper entries of page tables as those of low ones do', () => {
    const entries = (page: number): number[] => {
      const reuse = new AddressReuse(4);
      const found: number[] = [];
      for (let i = 0; i < 20; i++) {
        const place = reuse.map(1, page, 1);
        reuse.hold(1, place, place);
        found.push(Math.floor(place / 2 ** 27));
      }
      return found.map((entry) => found.indexOf(entry));
    };
    expect(new Set(entries(0x10)).size).toBe(3);
    for (const gib of [3, 343, 500, 2 ** 18 - 1]) expect(entries(gib * 2 ** 18)).toEqual(entries(0x10));
  });

  test('no two live or held mappings share a page', () => {
    const step = fc.record({ page: fc.integer({ min: 0, max: 7 }), flush: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const reuse = new AddressReuse(4);
        const live = new Map<number, number>();
        let held: { hold: number; place: number }[] = [];
        for (const { page, flush } of steps) {
          if (flush) {
            for (const { hold } of held) reuse.release(hold);
            held = [];
          }
          const place = live.get(page);
          if (place !== undefined) {
            expect(reuse.page(1, page)).toBe(place);
            live.delete(page);
            held.push({ hold: reuse.hold(1, place, place), place });
          } else {
            const next = reuse.map(1, page, 1);
            expect(held.some((entry) => entry.place === next)).toBe(false);
            expect([...live.values()]).not.toContain(next);
            live.set(page, next);
          }
        }
      }),
    );
  });
});
