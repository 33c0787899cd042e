import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinWords } from '../../traces/units.ts';
import { ByteCursor, ascii } from './byte-cursor.ts';

function on(text: string): ByteCursor {
  const cursor = new ByteCursor();
  const bytes = Buffer.from(`  ${text}!!`, 'latin1');
  cursor.set(bytes, 2, 2 + Buffer.from(text, 'latin1').length);
  return cursor;
}

function value(cursor: ByteCursor): bigint {
  return joinWords(cursor.lo, cursor.hi);
}

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe('reading numbers in place', () => {
  test('every 64-bit value, hexadecimal and decimal', () => {
    fc.assert(
      fc.property(u64, fc.nat(8), (number, zeros) => {
        const hex = on(number.toString(16).padStart(zeros, '0'));
        expect([hex.hex(), value(hex), hex.pos]).toEqual([true, number, hex.end]);
        const prefixed = on(`0x${number.toString(16).toUpperCase()} `);
        expect([prefixed.hex0x(), value(prefixed)]).toEqual([true, number]);
        const decimal = on(`${number} `);
        expect([decimal.decimal(), value(decimal)]).toEqual([true, number]);
      }),
    );
  });

  test('leading zeros beyond 16 digits are fine, more significant digits are not', () => {
    expect(on('00000000000000000001').hex()).toBe(true);
    expect(on('10000000000000000').hex()).toBe(false);
    expect(on(`${2n ** 64n}`).decimal()).toBe(false);
    expect(on('99999999999999999999999').decimal()).toBe(false);
    const most = on('18446744073709551615');
    expect([most.decimal(), value(most)]).toEqual([true, 2n ** 64n - 1n]);
  });

  test('what is no number', () => {
    for (const text of ['', 'x', ' 1', '-1']) {
      expect(on(text).hex()).toBe(false);
      expect(on(text).decimal()).toBe(false);
    }
    expect(on('0x').hex0x()).toBe(false);
    expect(on('1f').hex0x()).toBe(false);
  });

  test('small numbers may be negative', () => {
    const cursor = on('-1 4294967295 4294967296');
    expect([cursor.int(), cursor.lo]).toEqual([true, -1]);
    cursor.skipSpaces();
    expect([cursor.int(), cursor.lo]).toEqual([true, -1]);
    cursor.skipSpaces();
    expect(cursor.int()).toBe(false);
    expect(on('-').int()).toBe(false);
  });

  test('never reads beyond the line', () => {
    expect(on('ab').literal(ascii('ab!'))).toBe(false);
    expect(on('ab').find(ascii('b!'))).toBe(false);
    const cursor = on('12');
    expect(cursor.decimal()).toBe(true);
    expect(cursor.atBoundary()).toBe(true);
    expect(cursor.byte(0x21)).toBe(false);
    const word = on('word');
    expect([word.token(), word.tokenEnd - word.tokenStart, word.token()]).toEqual([true, 4, false]);
  });

  test('find goes behind the first occurrence, and stays where there is none', () => {
    const cursor = on('a attrs=x attrs=y');
    expect(cursor.find(ascii(' attrs='))).toBe(true);
    expect(cursor.token()).toBe(true);
    expect(String.fromCharCode(cursor.bytes[cursor.tokenStart]!)).toBe('x');
    const { pos } = cursor;
    expect(cursor.find(ascii('nowhere'))).toBe(false);
    expect(cursor.pos).toBe(pos);
  });
});
