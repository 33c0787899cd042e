import { describe, expect, test } from 'vitest';
import { INT_CODECS } from '../traces/format/codecs/codecs.ts';
import { COMPRESSION } from '../traces/format/compression.ts';
import { FRAME, MAGIC, TRAILER_MAGIC } from '../traces/format/frame.ts';
import { FORMAT_VERSION } from '../traces/header.ts';
import { STREAMS } from '../traces/schema.ts';
import { readText } from './files.ts';

const text = readText('docs/format.md');

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

describe('docs/format.md', () => {
  test('has every stream with its number and its columns in order', () => {
    const expected = Object.entries(STREAMS).map(([name, columns], number) => [
      String(number),
      `\`${name}\``,
      Object.entries(columns)
        .map(([column, kind]) => `${column} ${kind}`)
        .join(', '),
    ]);
    const section = text.slice(text.indexOf('## Streams'), text.indexOf('## Limits'));
    const rows = [...section.matchAll(/^\| (\d+) \| (`\w+`) \| (.*) \|$/gm)].map(([, ...cells]) => cells);
    expect(rows).toEqual(expected);
  });

  test('has every codec, compression and frame', () => {
    for (const { id, name } of INT_CODECS) expect(text).toContain(`| ${id} | \`${name}\` |`);
    for (const [name, id] of Object.entries(COMPRESSION))
      expect(text).toMatch(new RegExp(`^\\| ${id} \\| .*${name}`, 'm'));
    for (const [name, id] of Object.entries(FRAME)) expect(text).toContain(`| ${id} | ${name} |`);
  });

  test('has the magic numbers and the current version', () => {
    expect(text).toContain(hex(MAGIC));
    expect(text).toContain(hex(TRAILER_MAGIC));
    expect(text).toContain(`| ${FORMAT_VERSION} | `);
  });
});
