import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { decompress as reference } from 'fzstd';
import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { ZstdDecoder } from './decoder.ts';

const FIXTURE = readFileSync(new URL('../../recorder/import/fixtures/qemu-iso-hits.log.zst', import.meta.url));
const PLAIN = readFileSync(new URL('../../recorder/import/fixtures/qemu-iso-hits.log', import.meta.url));

interface Decoded {
  readonly bytes: Buffer;
  readonly damage: string | undefined;
}

function decode(bytes: Uint8Array, step = bytes.length || 1): Decoded {
  const decoder = new ZstdDecoder();
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    for (const block of decoder.push(bytes.subarray(at, at + step))) parts.push(block.slice());
  }
  decoder.end();
  return { bytes: Buffer.concat(parts), damage: decoder.damage };
}

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/** A frame of raw and repeat blocks, with a window of 1 MiB. */
function frame(
  blocks: readonly { readonly bytes?: readonly number[]; readonly repeat?: readonly [number, number] }[],
): Uint8Array {
  const out = [...MAGIC, 0x00, 10 << 3];
  blocks.forEach(({ bytes = [], repeat }, i) => {
    const last = i === blocks.length - 1 ? 1 : 0;
    const header = repeat === undefined ? (bytes.length << 3) | last : (repeat[1] << 3) | 2 | last;
    out.push(header & 255, (header >> 8) & 255, header >> 16, ...(repeat === undefined ? bytes : [repeat[0]]));
  });
  return Uint8Array.from(out);
}

describe('zstd', () => {
  test('agrees with another decoder', () => {
    expect(decode(FIXTURE).bytes.equals(Buffer.from(reference(FIXTURE)))).toBe(true);
    expect(decode(FIXTURE)).toEqual({ bytes: PLAIN, damage: undefined });
  });

  test('raw and repeated blocks, empty ones too, byte by byte', () => {
    const bytes = frame([{ bytes: [1, 2, 3] }, { bytes: [] }, { repeat: [7, 5] }, { bytes: [] }]);
    const wanted = { bytes: Buffer.from([1, 2, 3, 7, 7, 7, 7, 7]), damage: undefined };
    expect(decode(bytes, 1)).toEqual(wanted);
    expect(decode(bytes)).toEqual(wanted);
  });

  test('skippable frames and several frames', () => {
    const skippable = [0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
    const empty = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    const one = frame([{ bytes: [1] }]);
    const bytes = Uint8Array.from([...skippable, ...one, ...empty, ...frame([{ bytes: [2] }]), ...skippable]);
    for (const step of [1, 3, 100])
      expect(decode(bytes, step)).toEqual({ bytes: Buffer.from([1, 2]), damage: undefined });
  });

  test.each([
    ['no frame', [1, 2, 3, 4], /no zstd frame/],
    ['a second frame that is none', [...frame([{ bytes: [1] }]), 1, 2, 3, 4], /no zstd frame/],
    ['a header that ends', [...MAGIC, 0], /unexpected end after 5 bytes/],
    ['an enormous window', [...MAGIC, 0, 0xff, 0, 0, 0], /a window of [0-9]+ MiB, and 128 is the limit/],
    ['an enormous content', [...MAGIC, 0xe0, 0, 0, 0, 0, 0xff, 0, 0, 0], /a window of [0-9]+ MiB/],
    ['a dictionary', [...MAGIC, 1, 0, 5, 0, 0, 0], /dictionary/],
    ['a reserved bit', [...MAGIC, 8, 0, 0, 0, 0], /reserved/],
    ['a reserved block type', [...MAGIC, 0, 80, 7, 0, 0], /reserved block type/],
    ['a block beyond the limit', [...MAGIC, 0, 80, 3, 0, 0xff], /block is too large/],
    ['a compressed block without content', [...MAGIC, 0, 80, 5, 0, 0], /block without literals/],
  ])('%s is damage', (_name, bytes, message) => {
    expect(decode(Uint8Array.from(bytes)).damage).toMatch(message);
  });

  test('a wrong checksum is damage, and the content is there', () => {
    const bytes = Uint8Array.from(FIXTURE);
    bytes[bytes.length - 1]! ^= 1;
    expect(decode(bytes)).toEqual({
      bytes: PLAIN,
      damage: `content checksum is wrong, at byte ${bytes.length}`,
    });
  });

  test('a table of weights that reads no bits ends', () => {
    // Literals with a tree whose weights come from a table of one symbol: each weight takes no bits.
    const weights = [0x01, 0xf0, 0x03, 0x80];
    const literals = [(0x2 | (4 << 4)) & 255, 0x80, 0x02, weights.length, ...weights, 1, 1];
    const block = [...literals, 0];
    const header = (block.length << 3) | 4 | 1;
    const { damage } = decode(Uint8Array.from([...MAGIC, 0, 80, header & 255, header >> 8, 0, ...block]));
    expect(damage).toMatch(/, at byte \d+$/);
  });

  test('changed bytes end in damage or in bytes, soon and in bounded memory', () => {
    const change = fc.tuple(fc.nat(FIXTURE.length - 1), fc.nat(255));
    let damaged = 0;
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = Uint8Array.from(FIXTURE);
        for (const [at, value] of changes) bytes[at] = value;
        const { bytes: out, damage } = decode(bytes, 512);
        expect(out.length).toBeLessThan(4 * 1024 * 1024);
        if (damage !== undefined) damaged++;
      }),
      { numRuns: 3000, seed: 3 },
    );
    expect(damaged).toBeGreaterThan(2900);
  });

  const command = spawnSync('zstd', ['--version']).status === 0;
  test.skipIf(!command)('what the zstd command writes at any level (skipped: no zstd command here)', () => {
    const random = new Random(11);
    /** Next byte of a text of so many bytes: noise, few symbols, short periods, old text again and again, long runs. */
    const kinds: readonly ((text: Uint8Array, at: number) => number)[] = [
      () => random.below(256),
      () => random.below(4),
      (_text, at) => at % (1 + ((at >> 12) % 3)),
      (text, at) => (at < 400 || random.below(20) === 0 ? random.below(60) : text[at - (at % 7 < 5 ? 3 : 350)]!),
      (_text, at) => at >> 9,
    ];
    for (const next of kinds) {
      for (const length of [1, 300, 300_000]) {
        const plain = new Uint8Array(length);
        for (let i = 0; i < length; i++) plain[i] = next(plain, i);
        for (const level of ['--fast=5', '-3', '-19']) {
          const { stdout } = spawnSync('zstd', [level, '-c', '-q'], { input: plain, maxBuffer: 2 ** 24 });
          const { bytes, damage } = decode(stdout);
          expect(damage).toBeUndefined();
          expect(bytes.equals(plain)).toBe(true);
        }
      }
    }
  });

  const encode = 'zstdCompressSync' in zlib ? (zlib.zstdCompressSync as (bytes: Uint8Array) => Uint8Array) : undefined;
  test.skipIf(encode === undefined)('round trip with the encoder of this Node (22.15 and later)', () => {
    const runs = fc.array(fc.tuple(fc.uint8Array({ maxLength: 20 }), fc.nat(3000)), { maxLength: 40 });
    fc.assert(
      fc.property(runs, (parts) => {
        const plain = Buffer.concat(parts.flatMap(([part, times]) => Array<Uint8Array>(times % 50).fill(part)));
        expect(decode(encode!(plain), 77)).toEqual({ bytes: plain, damage: undefined });
      }),
    );
  });
});
