import { describe, expect, test } from 'vitest';
import { ringNicSection } from './b-ring-nic.ts';
import { holds } from './line.ts';

describe('validation B', () => {
  test('every line of the short form holds, and no identifier comes twice', { timeout: 60_000 }, async () => {
    const lines = await ringNicSection.run(true);
    expect(
      lines.filter((line) => !holds(line)).map(({ id, predicted, published }) => ({ id, predicted, published })),
    ).toEqual([]);
    expect(new Set(lines.map((line) => line.id)).size).toBe(lines.length);
    expect(lines.every((line) => line.id.startsWith('B.') && line.predicted !== undefined)).toBe(true);
    expect(lines.filter((line) => line.status === 'predicted').length).toBeGreaterThanOrEqual(10);
  });
});
