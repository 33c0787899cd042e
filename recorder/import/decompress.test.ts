import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decompress, sniffCompression } from './decompress.ts';

function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`fixtures/${name}`, import.meta.url));
}

interface Inflated {
  readonly bytes: Buffer;
  readonly damage: readonly string[];
}

async function inflate(bytes: Uint8Array, step = 1000): Promise<Inflated> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += step) yield bytes.slice(at, at + step);
  }
  const parts: Uint8Array[] = [];
  const damage: string[] = [];
  for await (const part of decompress(chunks(), (what) => damage.push(what))) parts.push(Uint8Array.from(part));
  return { bytes: Buffer.concat(parts), damage };
}

const PLAIN = fixture('qemu-iso-hits.log');
const ZSTD = fixture('qemu-iso-hits.log.zst');
const GZIP = gzipSync(PLAIN);

describe('finding the compression', () => {
  test('by the first bytes', () => {
    expect(sniffCompression(GZIP)).toBe('gzip');
    expect(sniffCompression(ZSTD)).toBe('zstd');
    expect(sniffCompression(Uint8Array.of(0x50, 0x2a, 0x4d, 0x18))).toBe('zstd');
    for (const bytes of [PLAIN, new Uint8Array(0), GZIP.subarray(0, 2), ZSTD.subarray(0, 3)]) {
      expect(sniffCompression(bytes)).toBe('none');
    }
  });
});

describe.each([
  ['plain', PLAIN],
  ['gzip', GZIP],
  ['zstd', ZSTD],
])('%s', (_name, packed) => {
  test('any chunks give the same bytes', async () => {
    for (const step of [1, 2, 3, 7, 100, 1 << 20]) {
      const { bytes, damage } = await inflate(packed, step);
      expect([bytes.equals(PLAIN), damage]).toEqual([true, []]);
    }
  });

  test('nothing in, nothing out', async () => {
    expect(await inflate(new Uint8Array(0))).toEqual({ bytes: Buffer.alloc(0), damage: [] });
  });
});

describe.each([
  ['gzip', gzipSync(fixture('ftrace-6.12-strict.txt')), fixture('ftrace-6.12-strict.txt')],
  ['zstd', ZSTD, PLAIN],
])('damaged %s', (name, packed, plain) => {
  test('cut anywhere: what was readable is kept, and it is said', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 5, max: packed.length - 1 }), async (length) => {
        const { bytes, damage } = await inflate(packed.subarray(0, length));
        expect(damage).toHaveLength(1);
        expect(damage[0]).toMatch(new RegExp(`^${name}: \\S`));
        expect(bytes.equals(plain.subarray(0, bytes.length))).toBe(true);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  test('changed anywhere: no error, no more than the original could hold', async () => {
    const change = fc.tuple(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const bytes = Uint8Array.from(packed);
        for (const [at, by] of changes) bytes[at]! ^= by;
        const { bytes: out } = await inflate(bytes);
        expect(out.length).toBeLessThan(4 * 1024 * 1024);
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  test('followed by something else', async () => {
    const { bytes, damage } = await inflate(
      Buffer.concat([packed, Buffer.from('and more that is not compressed')]),
      100,
    );
    expect(damage).toHaveLength(1);
    // An inflater that fails takes what it made of its last piece of input with it.
    expect(bytes.length).toBeGreaterThan(plain.length * 0.9);
    expect(bytes.equals(Buffer.from(plain.subarray(0, bytes.length)))).toBe(true);
  });

  test('two in a row', async () => {
    const { bytes, damage } = await inflate(Buffer.concat([packed, packed]));
    expect(damage).toEqual([]);
    expect(bytes.equals(Buffer.concat([plain, plain]))).toBe(true);
  });
});

test('an error of the source is not taken for damage', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield GZIP.subarray(0, 100);
    throw new Error('disk on fire');
  }
  const read = async (): Promise<void> => {
    for await (const part of decompress(broken(), (what) => expect.fail(what))) expect(part.length).toBeGreaterThan(0);
  };
  await expect(read()).rejects.toThrow('disk on fire');
});
