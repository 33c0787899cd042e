import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runDmaPipeline } from './dma-pipeline.ts';
import type { DmaPipelineOptions, PipelineTranslation } from './dma-pipeline.ts';

/** Caches every page for ever. */
function endless(reads = 1): PipelineTranslation {
  const cached = new Set<number>();
  return { lookup: (page) => cached.has(page), walk: () => reads, fill: (page) => void cached.add(page) };
}

const OPTIONS: DmaPipelineOptions = {
  outstanding: 4,
  inOrder: true,
  walkers: 2,
  hitNs: 100,
  walkReadNs: 50,
  requestNs: 0,
};

function pages(list: readonly number[]): () => number {
  let at = 0;
  return () => list[at++] ?? 0;
}

describe('a pipeline of DMA reads', () => {
  test('one at a time: a miss takes its walk and its read, a hit the read', () => {
    const options = { ...OPTIONS, outstanding: 1 };
    const counts = runDmaPipeline(options, endless(3), pages([7, 7, 8, 8]), 4, 0);
    expect(counts).toEqual({
      reads: 4,
      elapsedNs: 100 + 150 + 100 + 150 + 100,
      latencyNs: 4 * 100 + 2 * 150,
      hits: 2,
      merged: 0,
      walks: 2,
      walkReads: 6,
      walkerNs: 300,
    });
  });

  test('a miss on a page that is walked for waits for that walk', () => {
    const counts = runDmaPipeline(OPTIONS, endless(), pages([7, 7, 7]), 3, 0);
    expect(counts).toMatchObject({ hits: 0, merged: 2, walks: 1, latencyNs: 3 * 150 });
  });

  test('misses beyond the walkers queue; hits overlap them', () => {
    const counts = runDmaPipeline({ ...OPTIONS, outstanding: 8 }, endless(), pages([1, 2, 3, 4]), 4, 0);
    expect(counts.latencyNs).toBe(2 * 150 + 2 * 200);
    const warm = runDmaPipeline(OPTIONS, endless(), pages([1, 1, 1, 1, 1, 9, 1, 1]), 3, 5);
    // the fifth read begins with the walk done; after it a miss and two hits side by side
    expect(warm).toMatchObject({ hits: 2, walks: 1, latencyNs: 150 + 2 * 100 });
  });

  test('in order a place waits for all before it', () => {
    const list = [1, 1, 1, 1, 1, 9, 1, 1, 1, 1, 1, 1, 1];
    const kept = runDmaPipeline(OPTIONS, endless(), pages(list), 6, 5);
    const free = runDmaPipeline({ ...OPTIONS, inOrder: false }, endless(), pages(list), 6, 5);
    expect(kept.elapsedNs).toBe(150);
    expect(free.elapsedNs).toBe(100);
  });

  test('requests keep their distance on the link', () => {
    const counts = runDmaPipeline({ ...OPTIONS, requestNs: 70 }, endless(), () => 1, 11, 20);
    expect(counts.elapsedNs).toBe(10 * 70);
  });

  test('never faster than places and walkers allow, never slower than one after the other', () => {
    fc.assert(
      fc.property(
        fc.record({
          outstanding: fc.integer({ min: 1, max: 9 }),
          inOrder: fc.boolean(),
          walkers: fc.integer({ min: 1, max: 4 }),
          hitNs: fc.integer({ min: 1, max: 300 }),
          walkReadNs: fc.integer({ min: 0, max: 300 }),
          requestNs: fc.constant(0),
        }),
        fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 40, maxLength: 40 }),
        (options, list) => {
          const counts = runDmaPipeline(options, endless(), pages(list), 40, 0);
          expect(counts.hits + counts.merged + counts.walks).toBe(40);
          expect(counts.walks).toBe(new Set(list).size);
          expect(counts.latencyNs).toBeGreaterThanOrEqual(40 * options.hitNs);
          const serial = 40 * options.hitNs + counts.walks * options.walkReadNs;
          expect(counts.elapsedNs).toBeLessThanOrEqual(serial);
          // Little: places are never more than full
          const whole = counts.elapsedNs + options.hitNs + 40 * options.walkReadNs;
          expect(counts.latencyNs).toBeLessThanOrEqual(options.outstanding * whole);
        },
      ),
    );
  });
});
