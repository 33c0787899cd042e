import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_TEXT, csvText, escapeHtml, escapeMarkdown, inertJson, printable } from './escape.ts';
import { HOSTILE } from './fixtures/results.ts';

const ANY_TEXT = fc.string({ unit: 'binary', maxLength: 400 });

describe('hostile text', () => {
  test('control characters and direction marks become visible', () => {
    expect(printable('a\u001b[31mb\u0007\r\n\u009b\u202e\ufeff\ud800')).toBe(
      'a\\x1b[31mb\\x07\\x0d\\x0a\\x9b\\u202e\\ufeff\\ud800',
    );
    expect(printable('µ 日本 🎉')).toBe('µ 日本 🎉');
  });

  test('a text that is too long is cut', () => {
    expect(printable('x'.repeat(1000)).length).toBe(MAX_TEXT);
    expect(printable('x'.repeat(1000), 10)).toBe(`${'x'.repeat(9)}…`);
  });

  test('nothing printable holds a control character', () => {
    fc.assert(
      fc.property(ANY_TEXT, (text) => {
        expect(printable(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
        expect(printable(text).isWellFormed()).toBe(true);
      }),
    );
  });

  test('HTML text has no markup', () => {
    expect(escapeHtml('<b a="1">&\'')).toBe('&lt;b a=&quot;1&quot;&gt;&amp;&#39;');
    fc.assert(
      fc.property(ANY_TEXT, (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
      }),
    );
  });

  test('Markdown text stays in its cell', () => {
    expect(escapeMarkdown('a|b `c` @team <i> #1 [x](y)')).toBe('a\\|b \\`c\\` &#64;team &lt;i&gt; \\#1 \\[x\\](y)');
    fc.assert(
      fc.property(ANY_TEXT, (text) => {
        const cell = escapeMarkdown(text);
        expect(cell).not.toMatch(/[<>@\n\r]/);
        expect(cell.replace(/\\./g, '')).not.toMatch(/[|`*[\]]/);
      }),
    );
  });

  test('CSV text is one field and no formula', () => {
    expect(csvText('plain')).toBe('plain');
    expect(csvText('a,"b"')).toBe('"a,""b"""');
    expect(csvText('=1+1')).toBe("'=1+1");
    fc.assert(
      fc.property(ANY_TEXT, (text) => {
        expect(csvText(text)).not.toMatch(/^[=+@-]|[\n\r]/);
      }),
    );
  });

  test('embedded JSON reads back and can not end its element', () => {
    expect(inertJson({ a: HOSTILE })).not.toMatch(/[<>&\u2028\u2029]/);
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = inertJson(value);
        expect(text).not.toMatch(/[<>&]/);
        expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(value));
      }),
    );
  });
});
