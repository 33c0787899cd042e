import { describe, expect, test } from 'vitest';
import { readText } from '../../.ci/files.ts';
import { exampleTrace } from './format-example.ts';
import { msgpackRanges } from './msgpack-ranges.ts';
import { markdownTable, readPart, withPart } from './page-parts.ts';
import { GENERATED_PARTS } from './parts.ts';

const full = process.env['IORR_FULL'] === '1';

describe('generated parts of the documentation', () => {
  test.each(GENERATED_PARTS.filter(({ slow }) => full || slow !== true))(
    '$page: $name is as `npm run docs` writes it',
    async ({ page, name, text }) => {
      expect(readPart(readText(page), name)).toBe(await text(readText));
    },
  );

  test('have names of their own, and marks in their pages', () => {
    const names = GENERATED_PARTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { page, name } of GENERATED_PARTS) expect(readPart(readText(page), name)).not.toBe('');
  });

  test('take the place of what was there, and of nothing else', () => {
    const page = 'a\n<!-- generated: x (npm run docs) -->\nold\n<!-- end -->\nb\n';
    expect(readPart(page, 'x')).toBe('old\n');
    expect(withPart(page, 'x', 'new\n')).toBe(page.replace('old', 'new'));
    expect(() => readPart(page, 'y')).toThrow('no part y');
    expect(markdownTable(['h'], [['a|b']])).toBe('| h |\n|---|\n| a\\|b |\n');
  });
});

describe('the example of docs/format.md', () => {
  const rows = [
    ...readPart(readText('docs/format.md'), 'format-example').matchAll(/^\| (\d+) \| `([0-9a-f ]+)` \| (.+) \|$/gm),
  ];

  test('covers the file that the writer makes, byte for byte, without gap or overlap', () => {
    const pieces = rows.map(([, offset, bytes = '']) => ({
      offset: Number(offset),
      bytes: Buffer.from(bytes.replaceAll(' ', ''), 'hex'),
    }));
    let next = 0;
    for (const { offset, bytes } of pieces) {
      expect(offset).toBe(next);
      next += bytes.length;
    }
    expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).equals(Buffer.from(exampleTrace()))).toBe(true);
  });

  test('says of each range what it is', () => {
    expect(rows.filter(([, , , what = '']) => what.trim() === '' || what.includes('?'))).toEqual([]);
    const said = rows.map(([, , , what]) => what).join('\n');
    for (const name of [
      'magic',
      'marker',
      'CRC-32',
      'type 0: header',
      'type 2: segment',
      'type 3: footer',
      'trailer',
    ]) {
      expect(said).toContain(name);
    }
  });
});

describe('ranges of MessagePack', () => {
  test('follow each other, and tell items of any kind', () => {
    const bytes = Buffer.from(
      '84a16101a162ff a163c0a164 93 cd0100 c403010203 cb3ff8000000000000'.replaceAll(' ', ''),
      'hex',
    );
    const ranges = msgpackRanges(bytes);
    expect(ranges.map(({ what }) => what)).toEqual([
      'map of 4',
      '"a"',
      '1',
      '"b"',
      '-1',
      '"c"',
      'nil',
      '"d"',
      'array of 3',
      '256',
      '3 bytes',
      '1.5',
    ]);
    expect(ranges.map(({ from }) => from).slice(1)).toEqual(ranges.map(({ to }) => to).slice(0, -1));
    expect(ranges.at(-1)?.to).toBe(bytes.length);
    expect(() => msgpackRanges(Uint8Array.of(0xc1))).toThrow(RangeError);
  });
});
