import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatLayout, layoutFields, parseLayout } from './event-layout.ts';
import type { EventLayout, LayoutField } from './event-layout.ts';

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

function fields(layout: string, data: string): ReturnType<typeof layoutFields> {
  return layoutFields(parseLayout(layout) as EventLayout, bytes(data));
}

describe('the layout of a kept event', () => {
  test('values of any width, signed, unsigned, hexadecimal, exact above 2^53', () => {
    const layout = ['0 1 1 v s a', '1 1 1 v u b', '2 2 2 v s c', '4 4 4 v u d', '8 8 8 v x e', '16 8 8 v u f'];
    const data = 'fe fe feff ffffffff 0010203040506070 ffffffffffffffff';
    expect(fields(['le', ...layout].join('\n'), data)).toEqual({
      a: -2,
      b: 254,
      c: -2,
      d: 4_294_967_295,
      e: '0x7060504030201000',
      f: '18446744073709551615',
    });
    expect(fields(['be', ...layout].join('\n'), data)).toMatchObject({ c: -257, e: '0x10203040506070' });
  });

  test('texts in the record and behind it, arrays, and what reaches up to its end', () => {
    const layout = 'le\n0 4 1 a t fixed\n4 4 1 d t located\n8 4 1 r t relative\n12 4 2 a u pair\n16 0 1 a t rest';
    // located: 3 bytes at 16; relative: 2 bytes at 12 + 7.
    const data = '61 62 00 7a  10 00 03 00  07 00 02 00  01 00 02 00  63 64 00  65 66 00';
    expect(fields(layout, data)).toEqual({ fixed: 'ab', located: 'cd', relative: 'ef', pair: [1, 2], rest: 'cd' });
  });

  test('a struct is shown as its bytes; a field outside of the record is null, the others stay', () => {
    const layout = 'le\n0 3 3 v u odd\n4 4 1 d t far\n8 8 8 v u beyond\n0 1 1 v u there';
    expect(fields(layout, '010203 00 ff ff 01 00')).toEqual({ odd: '0x010203', far: null, beyond: null, there: 1 });
  });

  test.each([
    '',
    'xe',
    'le\n1 2 3',
    'le\n0 4 4 q u a',
    'le\n0 4 4 v q a',
    'le\n-1 4 4 v u a',
    'le\n99999999 4 4 v u a',
  ])('%j is none', (text) => expect(parseLayout(text)).toBeUndefined());

  const field = fc.record({
    offset: fc.nat({ max: 70_000 }),
    size: fc.nat({ max: 70_000 }),
    element: fc.nat({ max: 9 }),
    shape: fc.constantFrom<LayoutField['shape']>('v', 'a', 'd', 'r'),
    form: fc.constantFrom<LayoutField['form']>('s', 'u', 'x', 't'),
    name: fc.stringMatching(/^[a-z_]\w{0,9}$/),
  });
  const layout = fc.record({ littleEndian: fc.boolean(), fields: fc.array(field, { maxLength: 12 }) });

  test('what is written is read, and any bytes are read by any layout', () => {
    fc.assert(
      fc.property(layout, fc.uint8Array({ maxLength: 80 }), (any, data) => {
        expect(parseLayout(formatLayout(any))).toEqual(any);
        const found = layoutFields(any, data);
        expect(new Set(Object.keys(found))).toEqual(new Set(any.fields.map(({ name }) => name)));
        for (const { name, offset, size, shape } of any.fields) {
          const last = any.fields.findLast((other) => other.name === name);
          if (last?.offset === offset && last.size === size && last.shape === shape && offset > data.length) {
            expect(found[name]).toBeNull();
          }
        }
      }),
    );
  });
});
