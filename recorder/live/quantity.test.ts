import { describe, expect, test } from 'vitest';
import { parseDuration, parseSize } from './quantity.ts';

describe('amounts on the command line', () => {
  test.each([
    ['30', 30_000],
    ['1.5s', 1500],
    ['100ms', 100],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ])('duration %s is %i ms', (text, ms) => {
    expect(parseDuration('--duration', text)).toBe(ms);
  });

  test.each([
    ['100', 100],
    ['64K', 65_536],
    ['64KiB', 65_536],
    ['1.5M', 1_572_864],
    ['2GB', 2_147_483_648],
  ])('size %s is %i bytes', (text, bytes) => {
    expect(parseSize('--max-size', text)).toBe(bytes);
  });

  test.each(['', '0', '-1', '1x', 'abc', '1e9', '9999999999999999G', '0.0000001s'])('"%s" is neither', (text) => {
    expect(() => parseDuration('--duration', text)).toThrow(/--duration expects an amount above 0/);
    expect(() => parseSize('--max-size', text)).toThrow(/--max-size expects an amount above 0/);
  });
});
