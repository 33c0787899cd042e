import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteBuffer, ByteReader } from '../byte-buffer.ts';
import { ColumnEncoder } from '../column-encoder.ts';
import { decodeColumn } from '../column.ts';
import { INT_CODECS } from './codecs.ts';
import { dictionary } from './dictionary.ts';

const anyColumn = fc.oneof(
  fc.array(fc.integer(), { maxLength: 300 }),
  fc.array(fc.integer({ min: -2, max: 5 }), { maxLength: 300 }),
  fc.array(fc.constantFrom(0, -1, 4096, -4096, 0x7fffffff, -0x80000000), { maxLength: 300 }),
  fc.array(
    fc.integer({ min: -0x80000, max: 0x7ffff }).map((page) => page << 12),
    { maxLength: 300 },
  ),
  fc.tuple(fc.integer(), fc.integer({ min: 1, max: 300 })).map(([value, n]) => new Array<number>(n).fill(value)),
);

describe('integer codecs', () => {
  test('are registered under their own id', () => {
    expect(INT_CODECS.map((codec) => codec.id)).toEqual(INT_CODECS.map((_, index) => index));
    expect(new Set(INT_CODECS.map((codec) => codec.name)).size).toBe(INT_CODECS.length);
  });

  test.each(
    INT_CODECS.flatMap((codec) => Array.from({ length: codec.variants }, (_, v) => [codec.name, v, codec] as const)),
  )('%s.%d gives back every column that it takes', (_name, variant, codec) => {
    let taken = 0;
    fc.assert(
      fc.property(anyColumn, (numbers) => {
        const values = Int32Array.from(numbers);
        const out = new ByteBuffer();
        out.reserve(3);
        out.length = 3;
        if (!codec.encode(values, variant, out)) return;
        taken++;
        const back = new Int32Array(values.length).fill(77);
        const reader = new ByteReader(out.take());
        reader.at = 3;
        codec.decode(reader, variant, back);
        expect(back).toEqual(values);
      }),
      { numRuns: 200, seed: 11 },
    );
    expect(taken).toBeGreaterThan(0);
  });

  test('damaged columns throw or give some column, and never run away', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...INT_CODECS),
        fc.uint8Array({ maxLength: 60 }),
        fc.integer({ min: 0, max: 65536 }),
        fc.nat(4),
        (codec, bytes, rows, variant) => {
          const out = new Int32Array(rows);
          try {
            codec.decode(new ByteReader(bytes), variant % codec.variants, out);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        },
      ),
      { numRuns: 2000, seed: 5 },
    );
  });
});

test('values chosen to meet in one slot of a table make no column slow, only larger', () => {
  const colliding: number[] = [];
  for (let value = 0; colliding.length < 300; value++) {
    let hash = Math.imul(value ^ (value >>> 12), 0x9e3779b1);
    hash ^= hash >>> 15;
    if ((hash & 0x7fff) === 77) colliding.push(value);
  }
  const values = Int32Array.from({ length: 60_000 }, (_, i) => colliding[(i * 7919) % colliding.length]!);
  expect(dictionary.encode(values, 0, new ByteBuffer())).toBe(false);
  const back = new Int32Array(values.length);
  decodeColumn(new ColumnEncoder('deflate').encode('x', values), back);
  expect(back).toEqual(values);
});

describe('choice of codec', () => {
  test('a page-aligned ring takes less than a byte a row, a constant takes a handful of bytes', () => {
    const encoder = new ColumnEncoder('deflate');
    const ring = Int32Array.from({ length: 50_000 }, (_, i) => (0xfff00 + (i % 200)) << 12);
    expect(encoder.encode('ring', ring).length).toBeLessThan(2_000);
    expect(encoder.encode('flat', new Int32Array(65_536).fill(-1)).length).toBeLessThan(10);
  });

  test('rows that are alike where they are looked at first, and only there, are encoded right', () => {
    const values = Int32Array.from({ length: 60_000 }, (_, i) =>
      i % 20_000 < 17_000 || i % 20_000 > 19_900 ? i * 3 : 5,
    );
    const back = new Int32Array(values.length);
    decodeColumn(new ColumnEncoder('deflate').encode('x', values), back);
    expect(back).toEqual(values);
    const late = values.map((value, i) => (i < 59_000 ? 5 : value));
    decodeColumn(new ColumnEncoder('deflate').encode('x', late), back);
    expect(back).toEqual(late);
  });

  test('rows that alternate between kinds are coded by their own kind', () => {
    const encoder = new ColumnEncoder('deflate');
    const alternate = Int32Array.from({ length: 3000 }, (_, i) =>
      i % 3 === 0 ? i * 64 : i % 3 === 1 ? 0x25 : 7_000_000 + i * 4,
    );
    const encoded = encoder.encode('alternate', alternate);
    expect(encoded.length).toBeLessThan(3000);
    const back = new Int32Array(3000);
    decodeColumn(encoded, back);
    expect(back).toEqual(alternate);
  });

  test('a changed column is encoded right even when the remembered codec does not fit it', () => {
    const encoder = new ColumnEncoder('deflate');
    fc.assert(
      fc.property(anyColumn, (numbers) => {
        const values = Int32Array.from(numbers);
        const back = new Int32Array(values.length);
        decodeColumn(encoder.encode('x', values), back);
        expect(back).toEqual(values);
      }),
      { numRuns: 200, seed: 23 },
    );
  });
});
