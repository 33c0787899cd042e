import { IorrError } from '../../traces/errors.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';
import { blockLength, hashOf, MOST_MANIFEST_BYTES, readManifest } from './block-manifest.ts';
import type { BlockManifest } from './block-manifest.ts';
import { blockKey, entryKey, manifestKey, traceUsersKey } from './cluster-keys.ts';
import { MOST_SWEEPS, ORPHAN_MS } from './cluster-limits.ts';
import type { RedisLink } from './redis-link.ts';

/** Keys asked about in one go. */
const BATCH = 512;

/** A part of a trace that is not there, or is not what it should be; it is put there again by the sweep that it belongs to. */
export class MissingBlock extends Error {}

/** Puts a trace's blocks into the Redis, once for all sweeps of that trace there, and takes them away behind the last one. */
export class PublishedTrace {
  readonly manifest: BlockManifest;
  readonly #link: RedisLink;
  readonly #source: ByteSource;
  readonly #sweep: string;
  /** Blocks in use, each once, by their first place. */
  readonly #places: ReadonlyMap<string, number>;

  constructor(link: RedisLink, manifest: BlockManifest, source: ByteSource, sweep: string) {
    this.#link = link;
    this.manifest = manifest;
    this.#source = source;
    this.#sweep = sweep;
    const places = new Map<string, number>();
    manifest.blocks.forEach((block, i) => {
      if (!places.has(block)) places.set(block, i);
    });
    this.#places = places;
  }

  /**
   * Puts what is missing there (again), and keeps the rest from expiring. `progress`: bytes that are there. Throws `REDIS_FAILED` if it
   * has no room, `TRACE_DAMAGED` if the file is no longer what it was.
   */
  async publish(progress: (bytes: number) => void = () => undefined, signal?: AbortSignal): Promise<void> {
    const { redis } = this.#link;
    const { id, bytes, blocks } = this.manifest;
    await this.#link.guard(redis.sadd(traceUsersKey(id), this.#sweep));
    await this.#link.guard(redis.pexpire(traceUsersKey(id), ORPHAN_MS));
    const missing = await this.#missing();
    await this.#checkRoom(missing.reduce((sum, [, place]) => sum + blockLength(this.manifest, place), 0));
    let there = blocks.length - missing.length;
    for (const [block, place] of missing) {
      if (signal?.aborted === true) return;
      const content = this.#source.read(place * this.manifest.blockBytes, blockLength(this.manifest, place));
      if (hashOf(content) !== block) {
        throw traceChanged(this.#source.name, place * this.manifest.blockBytes);
      }
      await this.#link.guard(redis.set(blockKey(id, block), Buffer.from(content), 'PX', ORPHAN_MS));
      there++;
      progress((there / blocks.length) * this.manifest.size);
    }
    await this.#link.guard(redis.set(manifestKey(id), Buffer.from(bytes), 'PX', ORPHAN_MS));
  }

  /** Takes the blocks away if no other sweep there uses them. */
  async release(): Promise<void> {
    await releaseTrace(this.#link, this.manifest, this.#sweep);
  }

  async #missing(): Promise<[block: string, place: number][]> {
    const all = [...this.#places];
    const missing: [string, number][] = [];
    for (let at = 0; at < all.length; at += BATCH) {
      const batch = all.slice(at, at + BATCH);
      const asked = this.#link.redis.pipeline();
      for (const [block] of batch) asked.pexpire(blockKey(this.manifest.id, block), ORPHAN_MS);
      const replies = await this.#link.guard(asked.exec());
      batch.forEach((entry, i) => {
        if (replies?.[i]?.[1] !== 1) missing.push(entry);
      });
    }
    return missing;
  }

  /** What it will take is known before: better said now than when the Redis is full. */
  async #checkRoom(bytes: number): Promise<void> {
    if (bytes === 0) return;
    const info = await this.#link.guard(this.#link.redis.info('memory').catch(() => ''));
    const figure = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
    const most = figure('maxmemory');
    const free = most - figure('used_memory');
    if (most === 0 || bytes <= free) return;
    throw new IorrError(
      'REDIS_FAILED',
      `the Redis at ${this.#link.address.shown} has no room: ${bytes} bytes of the trace, ${Math.max(0, free)} left of its maxmemory`,
      { hint: 'raise its maxmemory, or end other sweeps there' },
    );
  }
}

export function traceChanged(file: string, offset: number): IorrError {
  return new IorrError('TRACE_DAMAGED', 'the trace changed while it was swept', {
    place: { file, offset },
    hint: 'leave it alone until the sweep is done',
  });
}

/** A sweep no longer uses a trace: its blocks go if none does. */
async function releaseTrace(link: RedisLink, manifest: BlockManifest, sweep: string): Promise<void> {
  const { redis } = link;
  const users = traceUsersKey(manifest.id);
  await link.guard(redis.srem(users, sweep));
  const others = (await link.guard(redis.smembers(users))).slice(0, MOST_SWEEPS);
  for (const other of others) if ((await link.guard(redis.exists(entryKey(other)))) === 1) return;
  await link.guard(redis.unlink(users, manifestKey(manifest.id)));
  for (let at = 0; at < manifest.blocks.length; at += BATCH) {
    const keys = manifest.blocks.slice(at, at + BATCH).map((block) => blockKey(manifest.id, block));
    await link.guard(redis.unlink(...keys));
  }
}

/** Reads a manifest; what is no manifest of that name is taken away. Throws `MissingBlock`. */
export async function fetchManifest(link: RedisLink, trace: string): Promise<BlockManifest> {
  const key = manifestKey(trace);
  // never more than the longest one, and one byte to see that it is longer
  const bytes = await link.guard(link.redis.getrangeBuffer(key, 0, MOST_MANIFEST_BYTES));
  const manifest = readManifest(bytes, trace);
  if (manifest !== undefined) return manifest;
  await link.guard(link.redis.unlink(key));
  throw new MissingBlock(`the list of the trace's blocks is ${bytes.length === 0 ? 'not there' : 'damaged'}`);
}

/** Reads one block and checks it against its name; what is no block of that name is taken away. Throws `MissingBlock`. */
export async function fetchBlock(link: RedisLink, manifest: BlockManifest, index: number): Promise<Uint8Array> {
  const block = manifest.blocks[index];
  if (block === undefined) throw new RangeError(`block ${index} of ${manifest.blocks.length}`);
  const length = blockLength(manifest, index);
  const key = blockKey(manifest.id, block);
  const bytes = await link.guard(link.redis.getrangeBuffer(key, 0, length));
  if (bytes.length === length && hashOf(bytes) === block) return bytes;
  await link.guard(link.redis.unlink(key));
  throw new MissingBlock(`block ${index} of the trace is ${bytes.length === 0 ? 'not there' : 'damaged'}`);
}
