import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Random } from '../../random.ts';
import { ByteBuffer } from '../byte-buffer.ts';
import { deltaVarint } from '../codecs/delta-varint.ts';
import { decodeColumn } from '../column.ts';
import type { ColumnPlace } from '../column.ts';
import { newestBefore } from '../layout.ts';
import { writePrediction } from '../prediction.ts';
import type { FollowPrediction } from '../prediction.ts';
import { residuals } from '../residuals.ts';
import { HASH_FACTOR } from '../successors.ts';
import { ownMachine } from './column-machine.ts';

const machine = ownMachine();
if (machine === undefined) throw new Error('this Node has no WebAssembly');

/** Values whose place is the same in tables of up to so many slots: more of them than are looked at for one value. */
const colliding: readonly number[] = (() => {
  const found: number[] = [];
  for (let value = 1; found.length < 40; value++) {
    const hash = Math.imul(value ^ (value >>> 12), HASH_FACTOR);
    if (((hash ^ (hash >>> 15)) & 4095) === 4090) found.push(value);
  }
  return found;
})();

const KINDS = [4, 300, -7];

interface Case {
  readonly place: ColumnPlace;
  readonly values: Int32Array;
}

/** Rows of two streams; those of the second mostly repeat, some rows later, what the first has of the same kind. */
function caseOf(seed: number, events: number, values: readonly number[], strange: number): Case {
  const random = new Random(seed);
  const order = Uint8Array.from({ length: events }, () => 1 + random.below(2));
  // at least as many as machines decode
  order.fill(2, 0, 64);
  const one: { kinds: number[]; values: number[] } = { kinds: [], values: [] };
  const two: { kinds: number[]; values: number[] } = { kinds: [], values: [] };
  const behind = random.below(8);
  for (const id of order) {
    const kind = KINDS[random.below(3)]!;
    const to = id === 1 ? one : two;
    const at = one.values.length - 1 - behind;
    const repeated = id === 2 && random.below(strange) > 0 ? one.values[at] : undefined;
    to.kinds.push(repeated === undefined ? kind : one.kinds[at]!);
    to.values.push(repeated ?? values[random.below(values.length)]!);
  }
  const columns = [one, two].map((stream) => [Int32Array.from(stream.kinds), Int32Array.from(stream.values)]);
  return {
    values: columns[1]![1]!,
    place: {
      stream: 2,
      property: 1,
      access: {
        column: (stream, property) => columns[stream - 1]![property]!,
        newestBefore: (stream, other) => newestBefore(order, order.length, two.values.length, stream, other),
      },
    },
  };
}

test.each([
  ['few values', [1, 2, 3, 4096, -5]],
  ['values of one slot', colliding],
  ['many values', Array.from({ length: 500 }, (_, i) => i << 12)],
])('a machine follows as `addFollowed` does: %s', (_name, pool) => {
  let zeros = 0;
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 80, max: 1200 }),
      fc.integer({ min: 2, max: 30 }),
      fc.array(fc.constantFrom(0, 1, 2, 3, 3), { minLength: 3, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      (seed, events, strange, modes, changes) => {
        const { place, values } = caseOf(seed, events, pool, strange);
        const kinds = KINDS.map((value, i) => ({ value, mode: modes[i]! }));
        const follow: FollowPrediction = { type: 'follow', property: 0, kinds, stream: 1, otherKind: 0, other: 1 };
        const differences = residuals(follow, values, 2, place.access);
        zeros += differences.filter((difference) => difference === 0).length;
        const raw = new ByteBuffer();
        deltaVarint.encode(differences, 0, raw);
        const head = new ByteBuffer();
        head.bytes[0] = 254;
        head.length = 1;
        writePrediction(follow, head);
        head.bytes.set([deltaVarint.id, 0, 0], head.length);
        head.length += 3;
        head.varint(raw.length);
        const content = raw.take();
        const decode = (by?: typeof machine): Int32Array => {
          const out = new Int32Array(values.length);
          decodeColumn(Uint8Array.from([...head.bytes.subarray(0, head.length), ...content]), out, by, place);
          return out;
        };
        expect(decode(machine)).toEqual(values);
        // other differences, of as many bytes
        for (const [at, byte] of changes) {
          const i = 1 + (at % (content.length - 1));
          content[i] = (byte & 0x7f) | (content[i]! & 0x80);
        }
        const expected = decode();
        expect(decode(machine)).toEqual(expected);
      },
    ),
    { numRuns: 100, seed: 41 },
  );
  expect(zeros).toBeGreaterThan(1000);
});
