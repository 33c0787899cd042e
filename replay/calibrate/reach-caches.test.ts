import { describe, expect, test } from 'vitest';
import { Random } from '../../traces/random.ts';
import { FIRST_PAGE, ReachCachePool, ReachCaches, reachOdds } from './reach-caches.ts';
import type { ReachGeometry } from './reach-caches.ts';

const READS = 40_000;

/** Share of random reads that miss, and table reads of a walk, by the model's own caches. */
function simulated(geometry: ReachGeometry, pages: number): { miss: number; walkReads: number } {
  const caches = new ReachCaches(geometry, 3);
  const random = new Random(5);
  let misses = 0;
  let walkReads = 0;
  for (let i = -READS; i < READS; i++) {
    const page = FIRST_PAGE + random.below(pages);
    if (caches.lookup(page)) continue;
    const reads = caches.walk(page);
    caches.fill(page);
    if (i < 0) continue;
    misses++;
    walkReads += reads;
  }
  return { miss: misses / READS, walkReads: misses === 0 ? 1 : walkReads / misses };
}

describe('the share of hits without a simulation', () => {
  const geometries: readonly ReachGeometry[] = [
    ...[0, 1, 2, 3].map((replacement) => ({
      sets: 1,
      ways: 60,
      index: 0,
      replacement,
      walkCaches: [64, 4, 4] as const,
    })),
    ...[0, 1, 2, 3].map((replacement) => ({
      sets: 16,
      ways: 4,
      index: 0,
      replacement,
      walkCaches: [2, 4, 4] as const,
    })),
    { sets: 13, ways: 8, index: 1, replacement: 0, walkCaches: [0, 0, 0] },
    { sets: 8, ways: 8, index: 2, replacement: 0, walkCaches: [4, 0, 0] },
  ];
  test.each(geometries)('$sets sets, $ways ways, index $index, replacement $replacement', (geometry) => {
    for (const pages of [30, 64, 100, 700, 5000]) {
      const odds = reachOdds(geometry, pages);
      const model = simulated(geometry, pages);
      expect(Math.abs(odds.miss - model.miss)).toBeLessThan(0.012);
      if (model.miss > 0.01) expect(Math.abs(odds.walkReads / model.walkReads - 1)).toBeLessThan(0.03);
    }
  });

  test('a pool gives empty caches again', () => {
    const pool = new ReachCachePool();
    const geometry: ReachGeometry = { sets: 1, ways: 4, index: 0, replacement: 0, walkCaches: [4, 4, 4] };
    const first = pool.take(geometry);
    expect(first.walk(FIRST_PAGE)).toBe(4);
    first.fill(FIRST_PAGE);
    expect(first.lookup(FIRST_PAGE)).toBe(true);
    const again = pool.take(geometry);
    expect(again.lookup(FIRST_PAGE)).toBe(false);
    expect(again.walk(FIRST_PAGE)).toBe(4);
    expect(again.walk(FIRST_PAGE)).toBe(1);
    expect(pool.take({ ...geometry, ways: 5 })).not.toBe(again);
  });
});
