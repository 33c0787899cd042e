import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PendingUnmaps, SETTLED } from './pending-unmaps.ts';

interface Told {
  readonly pages: number;
  readonly how: number;
  readonly unmap: number;
  readonly event: number;
  readonly overdue: boolean;
}

function pendingWithLog(): { readonly pending: PendingUnmaps; readonly told: Told[] } {
  const told: Told[] = [];
  const pending = new PendingUnmaps((unmap, pages, how, event) => {
    told.push({ pages, how, unmap: unmap.event, event, overdue: unmap.overdue });
  });
  return { pending, told };
}

describe('unmaps that wait for a command', () => {
  test('a command settles what it covers, and pieces of a range wait on', () => {
    const { pending, told } = pendingWithLog();
    pending.add(10, 19, 100, 1, 7);
    expect(pending.cover(12, 13, 2, 7)).toBe(2);
    expect(pending.cover(0, 100, 3, 7)).toBe(8);
    expect(told).toEqual([
      { pages: 2, how: SETTLED.covered, unmap: 1, event: 2, overdue: false },
      { pages: 2, how: SETTLED.covered, unmap: 1, event: 3, overdue: false },
      { pages: 6, how: SETTLED.covered, unmap: 1, event: 3, overdue: false },
    ]);
    expect(pending.count).toBe(0);
  });

  test('the rest of a range of which some waits already', () => {
    const { pending, told } = pendingWithLog();
    const page = fc.nat(40);
    fc.assert(
      fc.property(fc.array(fc.tuple(page, page, fc.boolean()), { maxLength: 30 }), (steps) => {
        const waiting = new Set<number>();
        for (const [a, b, isCover] of steps) {
          const [first, last] = [Math.min(a, b), Math.max(a, b)];
          let named = 0;
          for (let at = first; at <= last; at++) {
            if (isCover && waiting.delete(at)) named++;
            if (!isCover) waiting.add(at);
          }
          if (isCover) expect(pending.cover(first, last, 1, 7)).toBe(named);
          else pending.addRest(first, last, 0, 0, 7);
        }
        expect(pending.cover(0, 100, 2, 7)).toBe(waiting.size);
      }),
    );
    expect(told.every(({ how }) => how === SETTLED.covered)).toBe(true);
    pending.addRest(10, 12, 0, 3, 7);
    pending.addRest(8, 20, 0, 4, 7);
    told.length = 0;
    pending.finish(9);
    expect(told.map(({ pages, unmap }) => [pages, unmap])).toEqual([
      [2, 4],
      [3, 3],
      [8, 4],
    ]);
  });

  test('what a flush of its own submitter leaves out is overdue once the submitter goes on', () => {
    const { pending, told } = pendingWithLog();
    pending.add(10, 10, 100, 1, 7);
    pending.add(20, 20, 100, 2, 7);
    pending.add(30, 30, 100, 3, 8);
    pending.cover(20, 20, 4, 7);
    // the second command of the same flush is not late
    pending.cover(10, 10, 5, 7);
    pending.add(40, 40, 200, 6, 7);
    pending.add(50, 50, 200, 7, 7);
    pending.cover(50, 50, 8, 7);
    pending.judge(7);
    pending.cover(0, 100, 9, 8);
    expect(told.filter(({ overdue }) => overdue).map(({ unmap }) => unmap)).toEqual([6]);
  });

  test('a flush of another submitter makes nothing overdue', () => {
    const { pending, told } = pendingWithLog();
    pending.add(10, 10, 100, 1, 7);
    pending.add(20, 20, 100, 2, 8);
    pending.cover(20, 20, 3, 8);
    pending.judge(8);
    pending.judge(7);
    pending.finish(4);
    expect(told.map(({ how, overdue }) => [how, overdue])).toEqual([
      [SETTLED.covered, false],
      [SETTLED.open, false],
    ]);
  });

  test('any sequence leaves exactly the pages that a set of pages would', () => {
    const step = fc.record({
      what: fc.constantFrom('add', 'cover', 'remap'),
      first: fc.nat(60),
      length: fc.integer({ min: 1, max: 12 }),
      submitter: fc.nat(2),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { pending, told } = pendingWithLog();
        const waiting = new Set<number>();
        let settled = 0;
        steps.forEach(({ what, first, length, submitter }, event) => {
          const pages = Array.from({ length }, (_, i) => first + i);
          const last = first + length - 1;
          if (what === 'add') {
            pending.add(first, last, 0, event, submitter);
            // a range that overlaps one that waits already is not taken twice
            if (pages.every((page) => !waiting.has(page))) for (const page of pages) waiting.add(page);
            return;
          }
          const held = pages.filter((page) => waiting.delete(page)).length;
          settled += held;
          if (what === 'cover') expect(pending.cover(first, last, event, submitter)).toBe(held);
          else pending.remap(first, last, event);
        });
        expect(told.reduce((sum, { pages }) => sum + pages, 0)).toBe(settled);
        pending.finish(steps.length);
        expect(told.reduce((sum, { pages }) => sum + pages, 0)).toBe(settled + waiting.size);
        expect(pending.count).toBe(0);
      }),
    );
  });
});
