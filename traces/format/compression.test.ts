import * as zlib from 'node:zlib';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMPRESSION, compress, decompress } from './compression.ts';

const PLAIN = readFileSync(new URL('../../recorder/import/fixtures/qemu-iso-hits.log', import.meta.url));
const ZSTD = readFileSync(new URL('../../recorder/import/fixtures/qemu-iso-hits.log.zst', import.meta.url));

test('every Node reads deflate and zstd', () => {
  expect(Buffer.from(decompress(ZSTD, COMPRESSION.zstd, PLAIN.length))).toEqual(PLAIN);
  // A second frame, by the same decoder.
  expect(Buffer.from(decompress(ZSTD, COMPRESSION.zstd, PLAIN.length))).toEqual(PLAIN);
  expect(Buffer.from(decompress(compress(PLAIN, 'deflate'), COMPRESSION.deflate, PLAIN.length))).toEqual(PLAIN);
  expect(Buffer.from(decompress(compress(PLAIN, 'none'), COMPRESSION.none, PLAIN.length))).toEqual(PLAIN);
});

test('a column of another length than it says, or damaged, is refused', () => {
  for (const length of [0, 1, PLAIN.length - 1, PLAIN.length + 1]) {
    expect(() => decompress(ZSTD, COMPRESSION.zstd, length)).toThrow(Error);
    expect(() => decompress(zlib.deflateRawSync(PLAIN), COMPRESSION.deflate, length)).toThrow(Error);
  }
  expect(() => decompress(ZSTD.subarray(0, ZSTD.length - 3), COMPRESSION.zstd, PLAIN.length)).toThrow(Error);
  expect(() => decompress(PLAIN, COMPRESSION.zstd, PLAIN.length)).toThrow(Error);
  expect(() => decompress(PLAIN, 9, PLAIN.length)).toThrow('unknown compression 9');
  // A refused frame leaves no decoder behind that the next one could trip over.
  expect(Buffer.from(decompress(ZSTD, COMPRESSION.zstd, PLAIN.length))).toEqual(PLAIN);
});
