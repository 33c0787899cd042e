import { describe, expect, test } from 'vitest';
import { ringNicSection } from './b-ring-nic.ts';
import { holds } from './line.ts';

const full = process.env['IORR_FULL'] === '1';
if (!full) console.warn('validation B runs in its short form only: IORR_FULL=1 is needed for the long one');

describe('validation B', () => {
  test('every line holds, and no identifier comes twice', { timeout: 300_000 }, async () => {
    const lines = await ringNicSection.run(!full);
    expect(
      lines.filter((line) => !holds(line)).map(({ id, predicted, published }) => ({ id, predicted, published })),
    ).toEqual([]);
    expect(new Set(lines.map((line) => line.id)).size).toBe(lines.length);
    expect(lines.every((line) => line.id.startsWith('B.') && line.predicted !== undefined)).toBe(true);
    expect(lines.filter((line) => line.status === 'predicted').length).toBeGreaterThanOrEqual(10);
  });
});
