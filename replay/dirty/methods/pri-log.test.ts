import { describe, expect, test } from 'vitest';
import { vtdServer } from '../../hardware/vtd-server.ts';
import { addCounts, noCounts } from '../dirty-counts.ts';
import type { DirtyCounts } from '../dirty-counts.ts';
import { harvestTables, leafShiftOf } from '../harvest-tables.ts';
import { priLog } from './pri-log.ts';

const BASE = 0x4_0000;
const PAGES = 0x400;

/** 4 MiB that are mapped and protected. */
function started(block: string) {
  const method = priLog.create(leafShiftOf(block), {
    hardware: vtdServer,
    tables: harvestTables('vtd-second-stage', vtdServer),
    flush: true,
    contiguousDefect: false,
    mergeAfter: 2,
  });
  method.map(0, BASE, PAGES);
  const start = counted(method.counts, () => method.start(0, BASE, PAGES));
  const did = (...accesses: readonly (readonly [what: 'read' | 'write', page: number])[]) =>
    counted(method.counts, () => {
      for (const [what, page] of accesses) method.access(0, BASE + page, what === 'write');
    });
  const harvest = () => {
    const told: (readonly [number, number])[] = [];
    const counts = counted(method.counts, () =>
      method.harvest(0, BASE, PAGES, (page, pages) => void told.push([page - BASE, pages])),
    );
    return { told, counts };
  };
  return { start, did, harvest };
}

function counted(counts: DirtyCounts, act: () => void): DirtyCounts {
  const before = { ...counts };
  act();
  const done = noCounts();
  addCounts(done, counts, before);
  return done;
}

describe('what is protected when tracking starts', () => {
  test.each([
    ['4k', PAGES],
    ['64k', PAGES],
    ['2m', 2],
  ])('%s: %i leaves, and one flush', (block, leaves) => {
    expect(started(block).start).toMatchObject({ entriesCleared: leaves, flushes: 1, requests: 0 });
  });
});

describe('a write', () => {
  test('through a translation that does not permit it asks for it, for the page, and for it again', () => {
    const { did } = started('4k');
    expect(did(['read', 5])).toMatchObject({ misses: 1, retranslations: 0, walkReads: 4 });
    expect(did(['write', 5])).toMatchObject({
      faults: 1,
      requests: 1,
      responses: 1,
      retranslations: 2,
      misses: 0,
      walkReads: 8,
      updates: 1,
    });
    expect(did(['write', 5], ['read', 5])).toMatchObject({ faults: 0, retranslations: 0, walkReads: 0 });
  });

  test('without a translation asks once less', () => {
    const { did } = started('4k');
    expect(did(['write', 6])).toMatchObject({ requests: 1, responses: 1, retranslations: 1, misses: 1, walkReads: 8 });
  });

  test('makes its block writable: others need no request, but a translation that permits it', () => {
    const { did, harvest } = started('64k');
    expect(did(['read', 17], ['write', 16])).toMatchObject({ requests: 1, updates: 16 });
    expect(did(['write', 17])).toMatchObject({ requests: 0, retranslations: 1, misses: 0 });
    expect(did(['read', 18], ['write', 18])).toMatchObject({ requests: 0, retranslations: 0, misses: 1 });
    const { told, counts } = harvest();
    expect(told).toEqual(Array.from({ length: 16 }, (_, i) => [16 + i, 1]));
    expect(counts).toMatchObject({ ringEntries: 1, entriesCleared: 16, tablesVisited: 1, entriesRead: 0, flushes: 1 });
  });

  test('to a large leaf logs all of it', () => {
    const { did, harvest } = started('2m');
    expect(did(['write', 0x1ff], ['write', 7])).toMatchObject({ requests: 1, updates: 1 });
    expect(harvest().told).toEqual([[0, 0x200]]);
    expect(did(['write', 7])).toMatchObject({ requests: 1 });
  });
});

test('a harvest protects what was logged, and nothing else', () => {
  const { did, harvest } = started('4k');
  did(['write', 1], ['write', 2], ['write', 0x300]);
  expect(harvest().counts).toMatchObject({ ringEntries: 3, entriesCleared: 3, tablesVisited: 2, flushes: 1 });
  expect(harvest().counts).toMatchObject({ ringEntries: 0, entriesCleared: 0, tablesVisited: 0, flushes: 0 });
  expect(did(['write', 1], ['write', 3])).toMatchObject({ requests: 2 });
});
