import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseLocated } from './located-json.ts';
import type { Located } from './located-json.ts';

/** Without its lines. */
function plain({ value }: Located): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, item]) => [name, plain(item)]));
  return Array.isArray(value) ? (value as readonly Located[]).map(plain) : value;
}

describe('JSON with lines', () => {
  test('is what JSON.parse makes of it', () => {
    const value = fc
      .jsonValue({ maxDepth: 5, noUnicodeString: false })
      .filter((one) => !/"__proto__"/.test(JSON.stringify(one)));
    fc.assert(
      fc.property(value, fc.constantFrom(0, 2), (json, indent) => {
        const text = JSON.stringify(json, null, indent);
        expect(plain(parseLocated(text, 'f'))).toEqual(JSON.parse(text));
      }),
    );
  });

  test('refuses what JSON.parse refuses, with an error of its own', () => {
    const marks = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '1',
      '-',
      '01',
      '1e',
      'true',
      'nul',
      '\n',
      ' ',
      '\\',
    );
    fc.assert(
      fc.property(fc.array(marks, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        let wanted: unknown;
        try {
          wanted = JSON.parse(text);
        } catch {
          expect(() => parseLocated(text, 'f')).toThrow(expect.objectContaining({ code: 'USAGE' }));
          return;
        }
        // a name that stands twice is refused here alone
        if (/("a").*\1/s.test(text)) return;
        expect(plain(parseLocated(text, 'f'))).toEqual(wanted);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['{\n  "a": 1,\n  "a": 2\n}', 3, '"a" stands twice'],
    ['{\n  "a": 1\n  "b": 2\n}', 3, "',' or '}' expected, found \"\\\"\""],
    ['{\n\n  a: 1\n}', 3, 'a name in quotes expected, found "a"'],
    ['{"a": 1}\n{}', 2, 'nothing more expected, found "{"'],
    ['{"a":\n', 2, 'a value expected, found the end'],
    ['[1,\n2,\n]', 3, 'a value expected, found "]"'],
    ['['.repeat(40), 1, 'more than 16 lists or objects in one another'],
    ['', 1, 'a value expected, found the end'],
  ])('%j is refused with its line', (text, line, message) => {
    expect(() => parseLocated(text, 'c.json')).toThrow(
      expect.objectContaining({ code: 'USAGE', message, place: { file: 'c.json', line } }),
    );
  });

  test('a byte order mark is none of the text', () => {
    expect(plain(parseLocated('\uFEFF{"a": [true]}', 'f'))).toEqual({ a: [true] });
  });
});
