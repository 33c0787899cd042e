import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { blockLength, hashOf } from './block-manifest.ts';
import type { BlockManifest } from './block-manifest.ts';

/** Gets block `index` of a trace, checked. */
export type BlockFetch = (index: number) => Promise<Uint8Array>;

/** `HASH.iorr`: a whole trace. `HASH.RANDOM.part`: one that is being fetched. */
const WHOLE = /^[0-9a-f]{64}\.iorr$/;
const PART = /^[0-9a-f]{64}\.[0-9a-f]{12}\.part$/;
/** One that nobody has written to for so long is of a process that is gone. */
const ABANDONED_MS = 3_600_000;
/** Blocks under way at once. */
const LANES = 4;

/** Traces on disk, by the hashes of their manifests; the least recently used go when there are too many bytes. */
export class TraceCache {
  readonly #folder: string;
  readonly #most: number;
  /** Those whose bytes were checked since this process began, or are being. */
  readonly #checked = new Map<string, Promise<string>>();

  /** Throws `FILE_UNWRITABLE`. `most`: bytes. */
  constructor(folder: string, most: number) {
    this.#folder = join(folder, 'traces');
    this.#most = most;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw unwritable(error, folder);
    }
  }

  /**
   * Path of a trace's file, fetched unless it is there. All its bytes are checked once in a process. Throws `LIMIT` for a trace that is
   * larger than the cache may be, `FILE_UNWRITABLE`, and what `fetch` throws.
   */
  async path(manifest: BlockManifest, fetch: BlockFetch): Promise<string> {
    const path = join(this.#folder, `${manifest.id}.iorr`);
    const before = this.#checked.get(manifest.id);
    if (before !== undefined && (await before.catch(() => undefined)) !== undefined && isThere(path)) {
      touch(path);
      return path;
    }
    const work = this.#provide(manifest, path, fetch);
    this.#checked.set(manifest.id, work);
    return work;
  }

  async #provide(manifest: BlockManifest, path: string, fetch: BlockFetch): Promise<string> {
    if (await holds(path, manifest)) {
      touch(path);
      return path;
    }
    this.#makeRoom(manifest.size);
    const part = join(this.#folder, `${manifest.id}.${randomBytes(6).toString('hex')}.part`);
    try {
      await fetchInto(part, manifest, fetch);
      renameSync(part, path);
    } catch (error) {
      rmSync(part, { force: true });
      throw isFileError(error) ? unwritable(error, this.#folder) : error;
    }
    return path;
  }

  /** Whoever has a file open that goes can read it to its end. */
  #makeRoom(bytes: number): void {
    if (bytes > this.#most) {
      throw new IorrError('LIMIT', `the trace has ${bytes} bytes, the cache may have ${this.#most}`, {
        place: { file: this.#folder },
        hint: 'a larger --cache-size, or another --cache on a larger disk',
      });
    }
    const files: { path: string; bytes: number; used: number }[] = [];
    let fetching = 0;
    const now = new Date().getTime();
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      const part = PART.test(name);
      if (!part && !WHOLE.test(name)) continue;
      const status = statSync(path, { throwIfNoEntry: false });
      if (status === undefined) continue;
      const used = status.mtimeMs;
      if (!part) files.push({ path, bytes: status.size, used });
      else if (now - used > ABANDONED_MS) rmSync(path, { force: true });
      else fetching += status.size;
    }
    let total = bytes + fetching + files.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of files.sort((a, b) => a.used - b.used)) {
      if (total <= this.#most) break;
      rmSync(file.path, { force: true });
      total -= file.bytes;
    }
  }
}

async function fetchInto(part: string, manifest: BlockManifest, fetch: BlockFetch): Promise<void> {
  // a link that someone put there is not followed
  const descriptor = openSync(part, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < manifest.blocks.length) {
        const index = next++;
        const bytes = await fetch(index);
        for (let at = 0; at < bytes.length; ) {
          at += writeSync(descriptor, bytes, at, bytes.length - at, index * manifest.blockBytes + at);
        }
      }
    };
    // all lanes have ended before the file is closed
    const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  } finally {
    closeSync(descriptor);
  }
}

/** True if the file is there with each block as it should be. */
async function holds(path: string, manifest: BlockManifest): Promise<boolean> {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    if (fstatSync(descriptor).size !== manifest.size) return false;
    const bytes = new Uint8Array(manifest.blockBytes);
    for (let i = 0; i < manifest.blocks.length; i++) {
      const length = blockLength(manifest, i);
      if (readSync(descriptor, bytes, 0, length, i * manifest.blockBytes) !== length) return false;
      if (hashOf(bytes.subarray(0, length)) !== manifest.blocks[i]) return false;
      // claims are renewed meanwhile
      if (i % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  } catch {
    return false;
  } finally {
    closeSync(descriptor);
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Marks a file as used; one that just went is fetched by the next who wants it. */
function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // of another user: it goes by when it was fetched
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && typeof (error as { syscall?: unknown }).syscall === 'string';
}

function unwritable(error: unknown, folder: string): IorrError {
  return new IorrError('FILE_UNWRITABLE', error instanceof Error ? error.message : String(error), {
    place: { file: folder },
    hint: '--cache names another folder',
    cause: error,
  });
}
