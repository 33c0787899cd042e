import type { Random } from '../../traces/random.ts';
import type { Mutation } from './mutate-trace.ts';

type Damage = (bytes: Uint8Array, other: Uint8Array, random: Random) => Uint8Array;

/** Lengths, counts and offsets that arithmetic breaks on. */
const INTEGERS = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n];
const LONG_INTEGERS = [...INTEGERS, (1n << 53n) - 1n, 1n << 53n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n];
/** Bytes near the beginning say what the rest means: they are hit as often as all others together. */
const HEAD = 512;

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.below(list.length)] as T;
}

function place(bytes: Uint8Array, random: Random): number {
  return random.below(Math.max(1, random.chance(0.5) ? Math.min(HEAD, bytes.length) : bytes.length));
}

function changed(bytes: Uint8Array, random: Random, change: (copy: Uint8Array, at: number) => void): Uint8Array {
  const copy = bytes.slice();
  if (copy.length === 0) return copy;
  for (let k = 1 << random.below(5); k > 0; k--) change(copy, place(copy, random));
  return copy;
}

/** A part of at most so many bytes. */
function part(bytes: Uint8Array, most: number, random: Random): Uint8Array {
  const at = place(bytes, random);
  return bytes.subarray(at, at + 1 + random.below(most));
}

function inserted(bytes: Uint8Array, at: number, extra: Uint8Array, replacing = 0): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at + replacing)]));
}

const DAMAGES: { readonly [name: string]: Damage } = {
  'flipped bits': (bytes, _other, random) =>
    changed(bytes, random, (copy, at) => {
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    }),
  'set bytes': (bytes, _other, random) =>
    changed(bytes, random, (copy, at) => {
      copy[at] = random.int32();
    }),
  integers: (bytes, _other, random) =>
    changed(bytes, random, (copy, at) => {
      const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
      const little = random.chance(0.7);
      const wide = random.chance(0.3);
      // fields are mostly aligned
      const field = random.chance(0.7) ? at & (wide ? ~7 : ~3) : at;
      const value = pick(wide ? LONG_INTEGERS : INTEGERS, random);
      if (wide && field + 8 <= copy.length) view.setBigUint64(field, value, little);
      else if (field + 4 <= copy.length) view.setUint32(field, Number(value & 0xffffffffn), little);
    }),
  'changed integer': (bytes, _other, random) =>
    changed(bytes, random, (copy, at) => {
      const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
      const little = random.chance(0.7);
      const field = at & ~3;
      if (field + 4 > copy.length) return;
      view.setUint32(field, view.getUint32(field, little) + pick([1, -1, 4, -4, 8, -8, 4096], random), little);
    }),
  'inserted bytes': (bytes, _other, random) =>
    inserted(
      bytes,
      place(bytes, random),
      Uint8Array.from({ length: 1 + random.below(64) }, () => random.int32()),
    ),
  'deleted bytes': (bytes, _other, random) =>
    inserted(bytes, place(bytes, random), new Uint8Array(0), 1 + random.below(64)),
  'cut off': (bytes, _other, random) => bytes.slice(0, random.below(bytes.length + 1)),
  'repeated block': (bytes, _other, random) => inserted(bytes, place(bytes, random), part(bytes, 4096, random)),
  'moved block': (bytes, _other, random) => {
    const block = part(bytes, 1024, random);
    return inserted(bytes, place(bytes, random), block, block.length);
  },
  spliced: (bytes, other, random) =>
    new Uint8Array(Buffer.concat([bytes.subarray(0, place(bytes, random)), other.subarray(place(other, random))])),
};

const NAMES = Object.keys(DAMAGES);

/** One damaged file of any kind. The same bases and random state give the same file. */
export function mutateBytes(bases: readonly Uint8Array[], random: Random): Mutation {
  const other = pick(bases, random);
  const name = pick(NAMES, random);
  const bytes = (DAMAGES[name] as Damage)(pick(bases, random), other, random);
  if (!random.chance(0.3)) return { name, bytes };
  const second = pick(NAMES, random);
  return { name: `${name}, ${second}`, bytes: (DAMAGES[second] as Damage)(bytes, other, random) };
}
