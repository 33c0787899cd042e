import { describe, expect, test } from 'vitest';
import { coreCounts } from './core-counts.ts';

describe('core counts', () => {
  test.each([
    ['1', [1]],
    ['1..64', [1, 2, 4, 8, 16, 32, 64]],
    ['1,2,4,8..64', [1, 2, 4, 8, 16, 32, 64]],
    ['3..20', [3, 6, 12, 20]],
    ['8, 2,8', [2, 8]],
  ])('%s', (text, counts) => {
    expect(coreCounts(text)).toEqual(counts);
  });

  test.each(['', '0', '1..', '8..4', '-1', '2000', '1.5', 'many'])("'%s' is refused", (text) => {
    expect(() => coreCounts(text)).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: 'for example --cores 1,2,4,8..64' }),
    );
  });

  test('so are too many', () => {
    const text = Array.from({ length: 70 }, (_, i) => i + 1).join(',');
    expect(() => coreCounts(text)).toThrow(/70 counts, 64 are the most/);
  });
});
