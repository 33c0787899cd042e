import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { decode } from '@msgpack/msgpack';
import { FRAME, FRAME_HEADER_BYTES, MAGIC, encodeFrame, parseFrameHeader } from '../../traces/format/frame.ts';
import type { Random } from '../../traces/random.ts';

/** A trace file cut at its frames, ready to be damaged many times. */
export interface CutTrace {
  readonly bytes: Uint8Array;
  /** Whole frames with their headers, in file order. */
  readonly frames: readonly Uint8Array[];
  /** What follows the last frame: the trailer. */
  readonly tail: Uint8Array;
}

export function cutTrace(bytes: Uint8Array): CutTrace {
  const frames: Uint8Array[] = [];
  let at = MAGIC.length;
  for (;;) {
    const header = parseFrameHeader(bytes.subarray(at, at + FRAME_HEADER_BYTES));
    if (header === undefined) break;
    const end = at + FRAME_HEADER_BYTES + header.length;
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return { bytes, frames, tail: bytes.subarray(at) };
}

export interface Mutation {
  /** Which damage it was, for messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

type Damage = (base: CutTrace, other: CutTrace, random: Random) => Uint8Array;

const EXTREMES = [0, 1, 0x7f, 0x80, 0xc1, 0xdc, 0xdd, 0xdf, 0xff] as const;

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.below(list.length)] as T;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function assemble(base: CutTrace, frames: readonly Uint8Array[]): Uint8Array {
  return concat([MAGIC, ...frames, base.tail]);
}

/** A copy of a frame whose checksum and length are right again, whatever the payload holds. */
function sealed(frame: Uint8Array): Uint8Array {
  const copy = frame.slice();
  if (copy.length < FRAME_HEADER_BYTES) return copy;
  const view = new DataView(copy.buffer);
  view.setUint32(4, copy.length - FRAME_HEADER_BYTES, true);
  view.setUint32(8, crc32(copy.subarray(FRAME_HEADER_BYTES)), true);
  return copy;
}

/** Changes some bytes of a copy, from `from` on. */
function scratch(bytes: Uint8Array, from: number, random: Random): Uint8Array {
  const copy = bytes.slice();
  if (copy.length <= from) return copy;
  const count = 1 << random.below(5);
  const at = from + random.below(copy.length - from);
  switch (random.below(4)) {
    case 0:
      for (let i = 0; i < count; i++) {
        const place = from + random.below(copy.length - from);
        copy[place] = (copy[place] ?? 0) ^ (1 << random.below(8));
      }
      return copy;
    case 1:
      for (let i = 0; i < count; i++) copy[from + random.below(copy.length - from)] = pick(EXTREMES, random);
      return copy;
    case 2:
      for (let i = at; i < Math.min(copy.length, at + count * 4); i++) copy[i] = random.int32();
      return copy;
    default: {
      // A declared length, or a number, becomes huge.
      const view = new DataView(copy.buffer);
      if (at + 4 <= copy.length) view.setUint32(at, pick([0x3fffff, 0x7fffffff, 0xffffffff, 0x04000000], random));
      return copy;
    }
  }
}

/** Damages one frame with `change`; in half of the cases the frame is sealed again, so that the decoder behind is reached. */
function oneFrame(base: CutTrace, random: Random, change: (frame: Uint8Array) => Uint8Array): Uint8Array {
  const frames = [...base.frames];
  const at = random.below(frames.length);
  const changed = change(frames[at] as Uint8Array);
  frames[at] = random.chance(0.5) ? sealed(changed) : changed;
  return assemble(base, frames);
}

/** Another value of some type in the place of one; the places of a tree are counted in depth-first order. */
function changeLeaf(value: unknown, random: Random): unknown {
  const kind = random.below(12);
  if (typeof value === 'number') {
    const numbers = [
      0,
      -1,
      1,
      value + 1,
      value - 1,
      value * 2,
      0.5,
      Number.NaN,
      1e300,
      2 ** 31,
      2 ** 53 - 1,
      -(2 ** 53) + 1,
    ];
    return numbers[kind];
  }
  if (value instanceof Uint8Array) return changeBytes(value, random);
  if (typeof value === 'string') return pick([0, null, '', value.repeat(3), '\ud800', `${value}\u0000`, []], random);
  return pick([0, null, '', [], {}, true, new Uint8Array(3)], random);
}

function changeBytes(bytes: Uint8Array, random: Random): unknown {
  switch (random.below(6)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length + 1));
    case 1:
      return concat([bytes, bytes]);
    case 2:
      return pick([null, 0, 'text', [], new Uint8Array(0)], random);
    case 3: {
      const packed = repacked(bytes, random);
      return packed ?? scratch(bytes, 0, random);
    }
    default:
      return scratch(bytes, 0, random);
  }
}

/** A column's bytes whose compressed part was opened, damaged and closed again; undefined where none is found. */
function repacked(
  bytes: Uint8Array,
  random: Random,
  change: (raw: Uint8Array) => Uint8Array = (raw) => scratch(raw, 0, random),
): Uint8Array | undefined {
  for (let head = 3; head < Math.min(24, bytes.length - 1); head++) {
    try {
      const raw = inflateRawSync(bytes.subarray(head), { maxOutputLength: 1 << 22 });
      if (raw.length < 16) continue;
      return concat([bytes.subarray(0, head), deflateRawSync(change(new Uint8Array(raw)))]);
    } catch {
      // Not where the compressed part begins.
    }
  }
  return undefined;
}

/** Every byte string of a frame's content. */
function columnsOf(content: readonly unknown[]): Uint8Array[] {
  return content.flatMap((item): Uint8Array[] => {
    if (item instanceof Uint8Array) return [item];
    return Array.isArray(item) ? columnsOf(item) : [];
  });
}

function replaced(value: unknown, old: Uint8Array, fresh: Uint8Array): unknown {
  if (value === old) return fresh;
  return Array.isArray(value) ? value.map((item) => replaced(item, old, fresh)) : value;
}

/** A few bytes of a copy, each by a little: what was a valid value mostly stays one. */
function nudged(bytes: Uint8Array, end: number, random: Random): Uint8Array {
  const copy = bytes.slice();
  if (end === 0) return copy;
  for (let k = 1 + random.below(3); k > 0; k--) {
    const at = random.below(end);
    const byte = copy[at] ?? 0;
    copy[at] = pick([byte + 1, byte - 1, byte ^ 0x80, byte ^ (1 << random.below(8)), 0, 0xff], random);
  }
  return copy;
}

/** A column whose head says that it is a lot longer (a varint in its fourth byte, or near it). */
function claiming(bytes: Uint8Array, random: Random): Uint8Array {
  const at = Math.min(bytes.length, 3 + (random.chance(0.5) ? 0 : random.below(8)));
  const huge = pick(
    [
      [0xff, 0xff, 0xff, 0x7f],
      [0x80, 0x80, 0x80, 0x80, 0x08],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ],
    random,
  );
  return concat([bytes.subarray(0, at), Uint8Array.from(huge), bytes.subarray(at + 1)]);
}

/** One column of a segment with slightly other values, or another head: everything around it stays right. */
function changeColumn(content: readonly unknown[], random: Random): readonly unknown[] {
  const columns = columnsOf(content);
  const column = pick(columns, random);
  if (column === undefined) return content;
  // Each event's stream is in the first one; the rest of a segment hangs on it.
  const chosen = random.chance(0.1) ? (columns[0] as Uint8Array) : column;
  let fresh: Uint8Array | undefined;
  if (random.chance(0.2)) fresh = claiming(chosen, random);
  else if (random.chance(0.3)) fresh = nudged(chosen, Math.min(12, chosen.length), random);
  else
    fresh = repacked(chosen, random, (raw) => nudged(raw, raw.length, random)) ?? nudged(chosen, chosen.length, random);
  return replaced(content, chosen, fresh) as unknown[];
}

/** Some rows of one stream become rows of another, in the summary alone: the sum stays right. */
function moveRows(content: readonly unknown[], random: Random): readonly unknown[] {
  const rows = content[5];
  if (!Array.isArray(rows) || rows.length < 2) return content;
  const counts = [...(rows as number[])];
  const from = random.below(counts.length);
  const to = random.below(counts.length);
  const moved = random.below((counts[from] ?? 0) + 1);
  counts[from] = (counts[from] ?? 0) - moved;
  counts[to] = (counts[to] ?? 0) + moved;
  return [...content.slice(0, 5), counts, ...content.slice(6)];
}

/** Changes the content of one frame of a type and seals it. */
function oneContent(
  base: CutTrace,
  type: number,
  random: Random,
  change: (content: readonly unknown[]) => readonly unknown[],
): Uint8Array {
  const contents = base.frames.map((frame) => decode(frame.subarray(FRAME_HEADER_BYTES)) as unknown[]);
  const fitting = contents.flatMap((content, i) => (content[0] === type ? [i] : []));
  const at = pick(fitting, random);
  if (at === undefined) return base.bytes;
  const frames = [...base.frames];
  frames[at] = encodeFrame(change(contents[at] as unknown[]));
  return assemble(base, frames);
}

/** Another tree: a value, an element or a key of it is another one, or gone. */
export function changeTree(value: unknown, random: Random, depth = 0): unknown {
  if (!Array.isArray(value) || value.length === 0 || (depth > 0 && random.chance(0.1))) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
      const keys = Object.keys(value);
      const key = pick(keys, random) ?? 'x';
      return { ...value, [key]: changeTree((value as Record<string, unknown>)[key], random, depth + 1) };
    }
    return changeLeaf(value, random);
  }
  const copy: unknown[] = [...(value as unknown[])];
  const at = random.below(copy.length);
  switch (random.below(8)) {
    case 0:
      copy.splice(at, 1);
      return copy;
    case 1:
      copy.splice(at, 0, copy[at]);
      return copy;
    case 2: {
      const other = random.below(copy.length);
      [copy[at], copy[other]] = [copy[other], copy[at]];
      return copy;
    }
    default:
      copy[at] = changeTree(copy[at], random, depth + 1);
      return copy;
  }
}

/** Every kind of damage; all but the last few work on frames. */
const DAMAGES: { readonly [name: string]: Damage } = {
  'changed bytes': (base, _other, random) => scratch(base.bytes, 0, random),
  'changed bytes behind the magic': (base, _other, random) => scratch(base.bytes, MAGIC.length, random),
  'changed payload': (base, _other, random) =>
    oneFrame(base, random, (frame) => scratch(frame, FRAME_HEADER_BYTES, random)),
  'cut off': (base, _other, random) => base.bytes.slice(0, random.below(base.bytes.length)),
  'cut frame': (base, _other, random) => oneFrame(base, random, (frame) => frame.slice(0, random.below(frame.length))),
  'declared length': (base, _other, random) =>
    oneFrame(base, random, (frame) => {
      const copy = frame.slice();
      const lengths = [0, 1, copy.length, copy.length + random.below(100_000), 0x3ffffff, 0x4000000, 0xffffffff];
      new DataView(copy.buffer).setUint32(4, pick(lengths, random), true);
      return copy;
    }),
  'swapped frames': (base, _other, random) => {
    const frames = [...base.frames];
    const a = random.below(frames.length);
    const b = random.below(frames.length);
    [frames[a], frames[b]] = [frames[b] as Uint8Array, frames[a] as Uint8Array];
    return assemble(base, frames);
  },
  'lost frame': (base, _other, random) => {
    const at = random.below(base.frames.length);
    return assemble(
      base,
      base.frames.filter((_, i) => i !== at),
    );
  },
  'repeated frame': (base, _other, random) => {
    const frames = [...base.frames];
    frames.splice(random.below(frames.length + 1), 0, pick(base.frames, random));
    return assemble(base, frames);
  },
  'frame of another trace': (base, other, random) => {
    const frames = [...base.frames];
    frames.splice(random.below(frames.length + 1), random.below(2), pick(other.frames, random));
    return assemble(base, frames);
  },
  'spliced files': (base, other, random) =>
    concat([
      base.bytes.subarray(0, random.below(base.bytes.length)),
      other.bytes.subarray(random.below(other.bytes.length)),
    ]),
  'changed value': (base, _other, random) => {
    const frames = [...base.frames];
    const at = random.below(frames.length);
    const content: unknown = decode((frames[at] as Uint8Array).subarray(FRAME_HEADER_BYTES));
    const changed = changeTree(content, random);
    frames[at] = encodeFrame(Array.isArray(changed) ? (changed as unknown[]) : [changed]);
    return assemble(base, frames);
  },
  'changed column': (base, _other, random) =>
    oneContent(base, FRAME.segment, random, (content) => changeColumn(content, random)),
  'moved rows': (base, _other, random) =>
    oneContent(base, FRAME.segment, random, (content) => moveRows(content, random)),
  'nested heads': (base, _other, random) =>
    oneFrame(base, random, (frame) => {
      // Arrays and maps in each other, each said to be larger than the file.
      const head = pick(
        [[0xdd, 0x00, 0x3f, 0xff, 0xff], [0xdf, 0x00, 0x1f, 0xff, 0xff], [0xdc, 0xff, 0xff], [0x91]],
        random,
      );
      const heads = Uint8Array.from(
        { length: head.length * (1 + random.below(200)) },
        (_, i) => head[i % head.length] ?? 0,
      );
      const at = FRAME_HEADER_BYTES + random.below(frame.length - FRAME_HEADER_BYTES + 1);
      return concat([frame.subarray(0, at), heads, frame.subarray(at)]);
    }),
  'changed footer': (base, _other, random) =>
    oneContent(base, FRAME.footer, random, ([type, footer]) => [type, changeTree(footer, random)]),
  'changed trailer': (base, _other, random) => {
    const tail = base.tail.slice();
    if (tail.length === 16) {
      const offsets = [0n, 1n, BigInt(random.below(base.bytes.length)), (1n << 53n) - 1n, (1n << 64n) - 1n];
      new DataView(tail.buffer).setBigUint64(8, pick(offsets, random), true);
    }
    return concat([MAGIC, ...base.frames, tail]);
  },
  'inserted bytes': (base, _other, random) => {
    const at = random.below(base.bytes.length);
    const extra = Uint8Array.from({ length: 1 + random.below(200) }, () => random.int32());
    return concat([base.bytes.subarray(0, at), extra, base.bytes.subarray(at)]);
  },
  'random bytes': (_base, _other, random) =>
    concat([MAGIC, Uint8Array.from({ length: random.below(5000) }, () => random.int32())]),
};

const NAMES = Object.keys(DAMAGES);
/** These reach the deepest: they come up as often as all others together. */
const DEEP = ['changed value', 'changed payload', 'changed column', 'changed column'] as const;

/** One damaged file. The same bases and random state give the same file. */
export function mutateTrace(bases: readonly CutTrace[], random: Random): Mutation {
  const base = pick(bases, random);
  const other = pick(bases, random);
  const name = random.chance(0.5) ? pick(DEEP, random) : pick(NAMES, random);
  return { name, bytes: (DAMAGES[name] as Damage)(base, other, random) };
}
