import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { memorySource } from '../../traces/format/bytes-io.ts';
import { blockLength, cutIntoBlocks } from './block-manifest.ts';
import type { BlockManifest } from './block-manifest.ts';
import { TraceCache } from './trace-cache.ts';
import type { BlockFetch } from './trace-cache.ts';

let folder = '';
let fetched: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-cache-'));
  fetched = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function trace(
  size: number,
  seed: number,
): { readonly manifest: BlockManifest; readonly fetch: BlockFetch; readonly bytes: Uint8Array } {
  const bytes = Uint8Array.from({ length: size }, (_, i) => (i * seed) >>> 3);
  const { manifest } = cutIntoBlocks(memorySource(bytes), 64);
  const fetch: BlockFetch = async (index) => {
    fetched.push(index);
    return bytes.subarray(index * 64, index * 64 + blockLength(manifest, index));
  };
  return { manifest, fetch, bytes };
}

describe('traces on disk', () => {
  test('each block is fetched once; the next process reads the file', async () => {
    const { manifest, fetch, bytes } = trace(1000, 7);
    const cache = new TraceCache(folder, 1 << 20);
    const path = await cache.path(manifest, fetch);
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
    expect(await cache.path(manifest, fetch)).toBe(path);
    expect(await new TraceCache(folder, 1 << 20).path(manifest, fetch)).toBe(path);
    expect(fetched.sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(readdirSync(join(folder, 'traces'))).toHaveLength(1);
  });

  test.each([
    ['changed', (bytes: Uint8Array) => bytes.map((byte, i) => (i === 500 ? byte ^ 1 : byte))],
    ['cut', (bytes: Uint8Array) => bytes.subarray(0, 999)],
    ['empty', () => new Uint8Array(0)],
  ])('a file that was %s is fetched again', async (_how, damage) => {
    const { manifest, fetch, bytes } = trace(1000, 7);
    const path = await new TraceCache(folder, 1 << 20).path(manifest, fetch);
    writeFileSync(path, damage(bytes));
    await new TraceCache(folder, 1 << 20).path(manifest, fetch);
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
    expect(fetched).toHaveLength(32);
  });

  test('a file that another process took away is fetched again', async () => {
    const { manifest, fetch } = trace(1000, 7);
    const cache = new TraceCache(folder, 1 << 20);
    rmSync(await cache.path(manifest, fetch));
    expect(existsSync(await cache.path(manifest, fetch))).toBe(true);
  });

  test('the least recently used go; what a dead process left goes, too', async () => {
    const cache = new TraceCache(folder, 2500);
    const [a, b, c] = [trace(1000, 3), trace(1000, 5), trace(1000, 11)];
    const first = await cache.path(a.manifest, a.fetch);
    const second = await cache.path(b.manifest, b.fetch);
    utimesSync(first, new Date(1000), new Date(1000));
    utimesSync(second, new Date(2000), new Date(2000));
    await cache.path(a.manifest, a.fetch);
    const part = join(folder, 'traces', `${'0'.repeat(64)}.0123456789ab.part`);
    writeFileSync(part, 'x');
    utimesSync(part, new Date(1000), new Date(1000));
    writeFileSync(join(folder, 'traces', 'of-somebody-else'), 'x');
    const third = await cache.path(c.manifest, c.fetch);
    expect([first, second, third, part].map((path) => existsSync(path))).toEqual([true, false, true, false]);
    expect(readdirSync(join(folder, 'traces'))).toContain('of-somebody-else');
  });

  test('what is larger than the cache may be is refused before anything is fetched', async () => {
    const { manifest, fetch } = trace(1000, 7);
    await expect(new TraceCache(folder, 999).path(manifest, fetch)).rejects.toThrow(
      /1000 bytes, the cache may have 999/,
    );
    expect(fetched).toEqual([]);
  });

  test('two that fetch the same at a time do not meet', async () => {
    const { manifest, fetch, bytes } = trace(1000, 7);
    const caches = [new TraceCache(folder, 1 << 20), new TraceCache(folder, 1 << 20)];
    const paths = await Promise.all(caches.map((cache) => cache.path(manifest, fetch)));
    expect(new Uint8Array(readFileSync(paths[0] ?? ''))).toEqual(bytes);
    expect(readdirSync(join(folder, 'traces'))).toHaveLength(1);
  });

  test('a fetch that fails leaves nothing, and the next one goes on', async () => {
    const { manifest, fetch } = trace(1000, 7);
    const cache = new TraceCache(folder, 1 << 20);
    const failing: BlockFetch = (index) => (index === 5 ? Promise.reject(new Error('gone')) : fetch(index));
    await expect(cache.path(manifest, failing)).rejects.toThrow('gone');
    expect(readdirSync(join(folder, 'traces'))).toEqual([]);
    expect(existsSync(await cache.path(manifest, fetch))).toBe(true);
  });

  test('a folder that can not be is told', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => new TraceCache(join(folder, 'file'), 1)).toThrow(expect.objectContaining({ code: 'FILE_UNWRITABLE' }));
  });
});
