import { describe, expect, test } from 'vitest';
import { breach, parseGates } from './gate.ts';

const SHORT = { stale: 'stale.translations' };
const RESULT = { stale: { translations: 2 }, wasted: null, exposure: { ns: { p99: 5e6 } }, name: 'x' };

describe('conditions of --fail-on', () => {
  test.each([
    ['stale', 'stale: stale.translations is 2'],
    ['stale>2', undefined],
    ['stale>=2', 'stale>=2: stale.translations is 2'],
    ['stale = 2', 'stale = 2: stale.translations is 2'],
    ['stale!=2', undefined],
    ['exposure.ns.p99 > 2e6', 'exposure.ns.p99 > 2e6: exposure.ns.p99 is 5000000'],
    ['exposure.ns.p99<1', undefined],
    ['exposure.ns.p99<=5e6', 'exposure.ns.p99<=5e6: exposure.ns.p99 is 5000000'],
    ['wasted', 'wasted: wasted is unknown, and what is unknown does not pass'],
  ])('%s', (text, expected) => {
    const [gate] = parseGates(text, SHORT);
    expect(gate && breach(gate, RESULT)).toBe(expected);
  });

  test('several are given with commas', () => {
    expect(parseGates('stale, wasted>3', SHORT).map(({ path, limit }) => [path, limit])).toEqual([
      [['stale', 'translations'], 0],
      [['wasted'], 3],
    ]);
  });

  test.each(['', 'stale>', '>3', 'a b', 'stale>x', '__proto__[0]'])('%j is refused', (text) => {
    expect(() => parseGates(text, SHORT)).toThrow(/a condition such as/);
  });

  test.each([
    ['nothing', /the result has no nothing/],
    ['constructor', /the result has no constructor/],
    ['stale.translations.more', /the result has no stale.translations.more/],
    ['name', /no number/],
  ])('%s is not in the result', (text, expected) => {
    const [gate] = parseGates(text, {});
    expect(() => gate && breach(gate, RESULT)).toThrow(expected);
  });
});
