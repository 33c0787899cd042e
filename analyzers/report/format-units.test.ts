import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatBytes,
  formatChange,
  formatCount,
  formatDecimal,
  formatNs,
  formatNumberOf,
  formatShare,
  formatShort,
} from './format-units.ts';

/** Thin spaces as ordinary ones, for reading the expectations. */
function spaced(text: string): string {
  return text.replaceAll('\u202f', ' ');
}

describe('numbers for people', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [1000, '1 000'],
    [183114, '183 114'],
    [1187287, '1 187 287'],
    [-1234.4, '−1 234'],
    [-0.2, '0'],
    [null, 'unknown'],
    [Number.NaN, 'unknown'],
    [Number.POSITIVE_INFINITY, 'unknown'],
  ])('count %s', (value, text) => expect(spaced(formatCount(value))).toBe(text));

  test.each([
    [0, '0'],
    [7.04, '7.04'],
    [2386.2, '2 386'],
    [0.01234, '0.0123'],
    [1.2e-20, '0.000000000000'],
    [null, 'unknown'],
  ])('decimal %s', (value, text) => expect(spaced(formatDecimal(value))).toBe(text));

  test.each([
    [0, '0 ns'],
    [950, '950 ns'],
    [999.4, '999 ns'],
    [999.6, '1.00 µs'],
    [4123, '4.12 µs'],
    [999_600, '1.00 ms'],
    [20_300_000, '20.3 ms'],
    [63_400_000_000, '63.4 s'],
    [1_250_000_000_000, '1 250 s'],
    [null, 'unknown'],
  ])('time %s', (value, text) => expect(spaced(formatNs(value))).toBe(text));

  test.each([
    [1, 2, '50.00 %'],
    [0, 5, '0 %'],
    [5, 5, '100 %'],
    [99999, 100000, '>99.99 %'],
    [1, 1000000, '<0.01 %'],
    [0, 0, 'unknown'],
    [null, 5, 'unknown'],
    [5, null, 'unknown'],
  ])('share %s of %s', (part, whole, text) => expect(spaced(formatShare(part, whole))).toBe(text));

  test.each([
    [5, 5, 'same'],
    [1, 2, '−50.0 %'],
    [0, 2, '−100 %'],
    [1, 100000, '−>99.9 %'],
    [3, 2, '+50.0 %'],
    [10001, 10000, '≈'],
    [4, 2, '×2.00'],
    [682, 2, '×341'],
    [5, 0, ''],
    [null, 2, ''],
    [2, null, ''],
  ])('change %s against %s', (value, base, text) => expect(spaced(formatChange(value, base))).toBe(text));

  test('bytes, axis labels and numbers of things', () => {
    expect(spaced(formatBytes(812))).toBe('812 B');
    expect(spaced(formatBytes(1_300_000))).toBe('1.24 MiB');
    expect([0, 0.2, 12000, 1_500_000, 2e9].map((value) => spaced(formatShort(value)))).toEqual([
      '0',
      '0.2',
      '12 k',
      '1.5 M',
      '2 G',
    ]);
    expect(formatNumberOf(1, 'entry', 'entries')).toBe('1 entry');
    expect(formatNumberOf(2, 'event')).toBe('2 events');
  });

  test('a count reads back as the same number', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        const digits = formatCount(value).replaceAll('\u202f', '').replace('\u2212', '-');
        expect(Number(digits)).toBe(value === 0 ? 0 : value);
      }),
    );
  });

  test('a time is within half a percent of what it shows', () => {
    const units: Record<string, number> = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (ns) => {
        const [number = '', unit = ''] = formatNs(ns)
          .replace(/\u202f(?=\d)/g, '')
          .split('\u202f');
        const shown = Number(number) * (units[unit] ?? Number.NaN);
        expect(Math.abs(shown / ns - 1)).toBeLessThanOrEqual(0.005);
      }),
    );
  });
});
