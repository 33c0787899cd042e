import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { openSource } from '../../recorder/import/import-source.ts';
import { readSource } from '../../recorder/import/read-source.ts';
import type { InputFile } from '../../recorder/import/open-input.ts';
import { IorrError } from '../../traces/errors.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import type { Random } from '../../traces/random.ts';
import { zstdRaw } from './base-traces.ts';
import { memoryTrace } from './fuzz-importers.ts';
import type { FuzzPlaces, FuzzTarget } from './fuzz-target.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { linesOf, mutateLog } from './mutate-log.ts';
import type { Mutation } from './mutate-trace.ts';
import { readEverything } from './read-everything.ts';

/** What a few kilobytes blow up to. */
const BOMB_BYTES = 24 * 1024 * 1024;

/** Bytes as a file, or (where `size` is 0) as a pipe. */
function inputFile(bytes: Uint8Array, random: Random): InputFile {
  const piped = random.chance(0.5);
  let read = 0;
  return {
    name: 'damaged',
    size: piped ? 0 : bytes.length,
    identity: '',
    read: () => read,
    async *chunks() {
      for (let at = 0; at < bytes.length; at = read) {
        read = Math.min(bytes.length, at + 1 + random.below(20_000));
        yield bytes.subarray(at, read);
      }
    },
    bytes: () => (piped ? undefined : memorySource(bytes, 'damaged')),
    close: async () => {},
  };
}

/** Compressed after it was damaged: checksums are right, and what is inside is not. */
function packed(bytes: Uint8Array, random: Random): Uint8Array {
  switch (random.below(5)) {
    case 0:
    case 1:
      return gzipSync(bytes, { level: 1 });
    case 2:
      return zstdRaw(bytes);
    case 3:
      return gzipSync(gzipSync(bytes, { level: 1 }), { level: 1 });
    default:
      return bytes;
  }
}

function bomb(line: Uint8Array, random: Random): Uint8Array {
  const unit = random.chance(0.5) ? line : Uint8Array.from([random.int32()]);
  const most = BOMB_BYTES >> random.below(8);
  return gzipSync(Buffer.alloc(most, unit), { level: 1 });
}

/** Whole inputs as `iorr import` opens them: decompressed as far as they go, recognised, read by whichever importer they are for. */
export function fuzzInputs({ root }: FuzzPlaces): FuzzTarget {
  const folder = join(root, 'recorder/import/fixtures');
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const seeds = files
    .map(({ name }) => name)
    .filter((name) => !name.endsWith('.zst') && name !== 'PROVENANCE.md')
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(folder, name));
      return new Uint8Array(name.endsWith('.gz') ? gunzipSync(bytes) : bytes);
    });
  const logs = seeds.filter((seed) => !seed.includes(0)).map(linesOf);
  return {
    make(random): Mutation {
      if (random.chance(0.002)) {
        const [line = ''] = logs[random.below(logs.length)] ?? [];
        return { name: 'bomb', bytes: bomb(Buffer.from(`${line}\n`), random) };
      }
      const { name, bytes } = random.chance(0.5) ? mutateLog(logs, random) : mutateBytes(seeds, random);
      const whole = packed(bytes, random);
      return random.chance(0.8) ? { name: `${name}, packed`, bytes: whole } : mutateBytes([whole], random);
    },
    async take(bytes, random) {
      try {
        const source = await openSource(inputFile(bytes, random), undefined, random.chance(0.2));
        try {
          const trace = memoryTrace(source.header);
          await readSource(source, trace, { signal: new AbortController().signal, onProgress: () => {} });
          return { refused: undefined, events: readEverything(trace, {}) };
        } finally {
          await source.close();
        }
      } catch (error) {
        if (error instanceof IorrError) return { refused: error.code, events: 0 };
        throw error;
      }
    },
  };
}
