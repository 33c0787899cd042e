import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { decompress } from '../../recorder/import/decompress.ts';
import type { Random } from '../../traces/random.ts';
import type { FuzzPlaces, FuzzTarget } from './fuzz-target.ts';
import type { Mutation } from './mutate-trace.ts';

/** A small damaged file can't decompress to more than this before it is given up here; a real one may. */
const ENOUGH_BYTES = 64 * 1024 * 1024;

function damage(base: Uint8Array, random: Random): Mutation {
  const bytes = base.slice();
  switch (random.below(4)) {
    case 0:
      return { name: 'cut off', bytes: bytes.slice(0, random.below(bytes.length)) };
    case 1: {
      // Heads of frame and block: sizes, windows, tables.
      const at = random.below(Math.min(40, bytes.length));
      bytes[at] = random.int32();
      return { name: 'changed head', bytes };
    }
    case 2: {
      for (let k = 1 + random.below(8); k > 0; k--) bytes[random.below(bytes.length)] = random.int32();
      return { name: 'changed bytes', bytes };
    }
    default: {
      const at = random.below(bytes.length);
      const from = random.below(bytes.length);
      bytes.set(bytes.slice(from, from + Math.min(200, bytes.length - Math.max(at, from))), at);
      return { name: 'moved bytes', bytes };
    }
  }
}

/** Damaged .gz and .zst inputs: decompressed as far as they go, in pieces of bounded size. */
export function fuzzCompressed({ root }: FuzzPlaces): FuzzTarget {
  const folder = join(root, 'recorder/import/fixtures');
  const names = readdirSync(folder).filter((name) => /\.(gz|zst)$/.test(name));
  const bases = names.map((name) => new Uint8Array(readFileSync(join(folder, name))));
  if (bases.length === 0) throw new Error(`no compressed file in ${folder}`);
  return {
    make: (random) => damage(bases[random.below(bases.length)] as Uint8Array, random),
    async take(bytes, random) {
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; ) {
          const end = at + 1 + random.below(5000);
          yield bytes.slice(at, end);
          at = end;
        }
      }
      let out = 0;
      let largest = 0;
      const damages: string[] = [];
      for await (const chunk of decompress(pieces(), (what) => damages.push(what))) {
        out += chunk.length;
        largest = Math.max(largest, chunk.length);
        if (out > ENOUGH_BYTES) break;
      }
      if (largest > 1 << 20) throw new Error(`a piece of ${largest} bytes`);
      return { refused: damages.length > 0 ? 'damaged' : undefined, events: out };
    },
  };
}
