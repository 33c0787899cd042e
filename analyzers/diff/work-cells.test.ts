import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CellBuilder } from './work-cells.ts';

const sum = (values: Iterable<number> | undefined): number =>
  [...(values ?? [])].reduce((all, value) => all + value, 0);

describe('cells of equal work', () => {
  test('lose nothing, however long the trace and however marks come', () => {
    const step = fc.record({ work: fc.integer({ min: 0, max: 400 }), mark: fc.option(fc.constantFrom('a', 'b', 'c')) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const cells = new CellBuilder();
        const count = cells.quantity('count');
        let [done, time] = [0, 0];
        for (const { work, mark } of steps) {
          if (mark !== null) cells.mark(mark);
          for (let i = 0; i < work; i++) {
            cells.at((time += 3));
            cells.work();
            cells.add(count, 2);
            cells.sample('kind', i);
            done++;
          }
        }
        const result = cells.finish();
        expect(sum(result.quantities.get('count'))).toBe(2 * done);
        expect(sum(result.quantities.get('ns'))).toBe(Math.max(0, time - 3));
        expect(result.phase).toHaveLength(result.count);
        const samples = result.samples.get('kind');
        expect(samples?.count ?? 0).toBe(done);
        for (const cell of samples?.cells ?? []) expect(cell).toBeLessThan(result.count);
      }),
    );
  });

  test('are of the same size within a phase, and between half and all of 1,024', () => {
    const cells = new CellBuilder();
    const count = cells.quantity('count');
    for (let i = 0; i < 100_000; i++) {
      cells.work();
      cells.add(count, 1);
    }
    const { count: many, quantities } = cells.finish();
    expect(many).toBeGreaterThan(500);
    expect(many).toBeLessThanOrEqual(1024);
    expect(new Set(quantities.get('count')?.slice(0, -1)).size).toBe(1);
  });

  test('phases that take turns without end are told apart no longer', () => {
    const cells = new CellBuilder();
    for (let i = 0; i < 5000; i++) {
      cells.mark(`phase ${i % 2}`);
      cells.work();
    }
    const { count, phases } = cells.finish();
    expect(count).toBeLessThanOrEqual(1024);
    expect(phases.length).toBeLessThan(4);
  });

  test('of a million samples some thousands are kept, from all of them', () => {
    const cells = new CellBuilder();
    for (let i = 0; i < 1_000_000; i++) cells.sample('kind', i);
    const { values, count } = cells.finish().samples.get('kind') ?? { values: new Float64Array(0), count: 0 };
    expect(count).toBe(1_000_000);
    expect(values.length).toBeGreaterThan(4000);
    expect(sum(values) / values.length / 500_000).toBeCloseTo(1, 1);
  });
});
