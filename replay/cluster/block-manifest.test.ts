import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { blockLength, cutIntoBlocks, hashOf, readManifest } from './block-manifest.ts';
import { MOST_BLOCKS } from './cluster-limits.ts';

describe('blocks of a trace', () => {
  test('put together again they are the trace; equal ones have one name', () => {
    const trace = fc.uint8Array({ maxLength: 500 });
    fc.assert(
      fc.property(trace, fc.integer({ min: 1, max: 64 }), (bytes, blockBytes) => {
        const { manifest, content } = cutIntoBlocks(memorySource(bytes), blockBytes);
        expect(content).toBe(createHash('sha256').update(bytes).digest('hex'));
        expect(readManifest(manifest.bytes, manifest.id)).toEqual(manifest);
        expect(manifest.blocks).toHaveLength(Math.ceil(bytes.length / blockBytes));
        const lengths = manifest.blocks.map((_, i) => blockLength(manifest, i));
        expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(bytes.length);
        manifest.blocks.forEach((block, i) => {
          expect(hashOf(bytes.subarray(i * blockBytes, i * blockBytes + blockLength(manifest, i)))).toBe(block);
        });
      }),
    );
    expect(new Set(cutIntoBlocks(memorySource(new Uint8Array(64)), 16).manifest.blocks).size).toBe(1);
  });

  test('a trace that is too long is refused before it is read', () => {
    const source = { name: 'huge', size: MOST_BLOCKS * 16 + 1, read: () => expect.fail('read') };
    expect(() => cutIntoBlocks(source, 16)).toThrow(/go over a Redis/);
  });

  test('a manifest that is cut, changed or of another name is none', () => {
    const { manifest } = cutIntoBlocks(memorySource(new Uint8Array(1000)), 64);
    const { bytes, id } = manifest;
    expect(readManifest(bytes.subarray(1), id)).toBeUndefined();
    expect(
      readManifest(
        bytes,
        id.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      ),
    ).toBeUndefined();
    expect(readManifest(new Uint8Array(0), hashOf(new Uint8Array(0)))).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = Uint8Array.from(bytes);
        other[at]! ^= change;
        expect(readManifest(other, id)).toBeUndefined();
      }),
    );
  });

  test.each([
    ['its size', 8, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['its size by a little', 8, [1, 0, 0, 0, 1, 0, 0, 0]],
    ['the bytes of a block', 16, [0, 0, 0, 0]],
    ['the bytes of a block by much', 16, [0xff, 0xff, 0xff, 0xff]],
    ['its magic', 0, [0]],
  ])('a manifest that lies about %s is none, though its name is right', (_what, at, lie) => {
    const bytes = Uint8Array.from(cutIntoBlocks(memorySource(new Uint8Array(1000)), 64).manifest.bytes);
    bytes.set(lie, at);
    expect(readManifest(bytes, hashOf(bytes))).toBeUndefined();
  });
});
