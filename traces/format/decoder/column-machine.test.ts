import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../random.ts';
import { ByteBuffer, ByteReader } from '../byte-buffer.ts';
import { INT_CODECS } from '../codecs/codecs.ts';
import { ColumnEncoder } from '../column-encoder.ts';
import { decodeColumn } from '../column.ts';
import type { ColumnPlace } from '../column.ts';
import { newestBefore } from '../layout.ts';
import { writePrediction } from '../prediction.ts';
import type { Prediction } from '../prediction.ts';
import { TimeEncoder, decodeTimes } from '../time-column.ts';
import { ownMachine } from './column-machine.ts';
import type { ColumnMachine } from './column-machine.ts';

function machineHere(): ColumnMachine {
  const machine = ownMachine();
  if (machine === undefined) throw new Error('this Node has no WebAssembly');
  return machine;
}
const machine = machineHere();

/** Columns of the kinds that codecs are for, with every length modulo the rows that are done at once. */
const anyColumn = fc
  .record({
    rows: fc.integer({ min: 64, max: 400 }),
    seed: fc.integer(),
    shape: fc.nat(7),
    shift: fc.constantFrom(0, 0, 12, 31),
  })
  .map(({ rows, seed, shape, shift }) => {
    const random = new Random(seed >>> 0);
    let value = random.below(1 << 20);
    return Int32Array.from({ length: rows }, (_, i) => {
      if (shape === 0) return (random.below(2 ** 32) | 0) << shift;
      if (shape === 1) return random.below(2) << shift;
      if (shape === 2) return (value += random.below(300) - 100) << shift;
      if (shape === 3) return (random.below(9) === 0 ? (value = random.below(7) - 3) : value) << shift;
      if (shape === 4) return random.below(1 << 12) << shift;
      if (shape === 7) return value;
      if (shape === 5) return ((i % 3) * 1_000_003 + (i >>> 2)) << shift;
      return random.below(9) === 0 ? random.below(2 ** 32) | 0 : value;
    });
  });

function bytesOf(column: Int32Array, codec: (typeof INT_CODECS)[number], variant: number): Uint8Array | undefined {
  const out = new ByteBuffer();
  return codec.encode(column, variant, out) ? out.take() : undefined;
}

/** A column of the format, without compression. */
function framed(codec: number, variant: number, raw: Uint8Array): Uint8Array {
  const head = new ByteBuffer();
  head.bytes.set([codec, variant, 0]);
  head.length = 3;
  head.varint(raw.length);
  return Uint8Array.from([...head.take(), ...raw]);
}

/** What decoding gives: the rows, or the failure's message. */
function outcome(rows: number, decode: (out: Int32Array) => void): Int32Array | string {
  const out = new Int32Array(rows).fill(77);
  try {
    decode(out);
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return String(error);
  }
  return out;
}

const variants = INT_CODECS.flatMap((codec) =>
  Array.from({ length: codec.variants }, (_, variant) => [codec.name, variant, codec] as const),
);

describe('a machine decodes what the codecs define', () => {
  test.each(variants)('%s.%d', (_name, variant, codec) => {
    let taken = 0;
    fc.assert(
      fc.property(anyColumn, (column) => {
        const raw = bytesOf(column, codec, variant);
        if (raw === undefined) return;
        taken++;
        const reader = machine.reader(raw);
        expect(codec.decodeAt(machine, reader, variant, column.length, machine.at.out)).toBe(true);
        const own = new ByteReader(raw);
        codec.decode(own, variant, new Int32Array(column.length));
        expect(reader.at).toBe(own.at);
        const out = new Int32Array(column.length);
        machine.deliver(machine.at.out, out);
        expect(out).toEqual(column);
      }),
      { numRuns: 80, seed: 17 },
    );
    expect(taken).toBeGreaterThan(0);
  });

  test.each(variants)('%s.%d: damaged bytes give the same rows or the same failure', (_name, variant, codec) => {
    let failed = 0;
    fc.assert(
      fc.property(
        anyColumn,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        fc.integer({ min: -40, max: 3 }),
        fc.boolean(),
        (column, changes, cut, begins) => {
          const raw = bytesOf(column, codec, variant) ?? Uint8Array.from(column);
          const damaged = Uint8Array.from({ length: Math.max(0, raw.length + cut) }, (_, i) => raw[i] ?? 0x80);
          for (const [at, byte] of changes)
            if (damaged.length > 0) damaged[at % (begins ? Math.min(damaged.length, 8) : damaged.length)] = byte;
          const bytes = framed(codec.id, variant, damaged);
          const here = outcome(column.length, (out) => decodeColumn(bytes, out));
          failed += typeof here === 'string' ? 1 : 0;
          expect(outcome(column.length, (out) => decodeColumn(bytes, out, machine))).toEqual(here);
        },
      ),
      { numRuns: 120, seed: 29 },
    );
    expect(failed).toBeGreaterThan(0);
  });

  test('constants of any value', () => {
    for (const value of [0, -1, 4096, 0x7fffffff, -0x80000000]) {
      const column = new Int32Array(101).fill(value);
      const bytes = new ColumnEncoder('none').encode('x', column);
      expect(outcome(101, (out) => decodeColumn(bytes, out, machine))).toEqual(column);
    }
  });
});

/** Two streams and a column of kinds: what predictions may refer to. */
function placeOf(seed: number, rows: number): ColumnPlace {
  const random = new Random(seed);
  const order = Uint8Array.from({ length: rows * 4 }, () => random.below(3));
  // as many rows of stream 2 as the column has
  let own = order.reduce((sum, id) => sum + (id === 2 ? 1 : 0), 0);
  for (let i = 0; own !== rows; i++) {
    if (own < rows && order[i] !== 2) own += (order[i] = 2) - 1;
    else if (own > rows && order[i] === 2) own -= order[i] = 1;
  }
  const columns = new Map<string, Int32Array>();
  const column = (stream: number, property: number): Int32Array => {
    const key = `${stream}.${property}`;
    const length = order.reduce((sum, id) => sum + (id === stream ? 1 : 0), 0);
    const known =
      columns.get(key) ??
      Int32Array.from({ length }, () => (property === 0 ? KINDS[random.below(3)]! : random.below(2 ** 32) | 0));
    columns.set(key, known);
    return known;
  };
  return {
    stream: 2,
    property: 3,
    access: { column, newestBefore: (stream, other) => newestBefore(order, order.length, rows, stream, other) },
  };
}

const KINDS = [4, 300, -7];
const kinds = KINDS.map((value, mode) => ({ value, mode }));
const PREDICTIONS: readonly Prediction[] = [
  { type: 'row', property: 1 },
  { type: 'last', stream: 1, property: 1 },
  { type: 'kind', property: 0, kinds },
  // a kind that is not listed
  { type: 'kind', property: 0, kinds: kinds.slice(0, 2) },
  {
    type: 'follow',
    property: 0,
    kinds: kinds.map(({ value }) => ({ value, mode: 3 })),
    stream: 1,
    otherKind: 0,
    other: 1,
  },
];

test.each(PREDICTIONS)('a machine adds what is predicted: %o', (prediction) => {
  fc.assert(
    fc.property(anyColumn, fc.nat(), (column, seed) => {
      const raw = new ByteBuffer();
      raw.bytes[0] = 254;
      raw.length = 1;
      writePrediction(prediction, raw);
      const inner = new ColumnEncoder('deflate').encode('x', column);
      const bytes = Uint8Array.from([...raw.take(), ...inner]);
      const place = placeOf(seed, column.length);
      const here = outcome(column.length, (out) => decodeColumn(bytes, out, undefined, place));
      expect(outcome(column.length, (out) => decodeColumn(bytes, out, machine, place))).toEqual(here);
    }),
    { numRuns: 60, seed: 31 },
  );
});

test('times by all groupings, whole and damaged', () => {
  const groupings = new Set<number>();
  fc.assert(
    fc.property(
      fc.integer({ min: 64, max: 600 }),
      fc.nat(),
      fc.nat(3),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      (count, seed, shape, changes) => {
        const random = new Random(seed);
        const stream = new Uint8Array(count);
        let id = 0;
        for (let i = 0; i < count; i++)
          stream[i] = id = random.below(shape === 0 ? 1 : 6) === 0 ? random.below(shape + 1) : id;
        const time = new Float64Array(count);
        let now = random.below(2 ** 40);
        for (let i = 0; i < count; i++) {
          now +=
            random.below(50) === 0
              ? random.below(2 ** 44) - 2 ** 40
              : (stream[i]! + 1) * (shape === 2 && i > 0 ? stream[i - 1]! + 3 : 7);
          time[i] = now;
        }
        const { bytes } = new TimeEncoder().encode(time, stream, count, new ColumnEncoder('none'));
        const damaged = bytes.slice();
        // the first bytes say what is encoded
        for (const [at, byte] of changes) damaged[6 + (at % (bytes.length - 6))] = byte;
        for (const [grouping, which] of [0, 1, 2].flatMap((g) => [[g, bytes] as const, [g, damaged] as const])) {
          const decode = (by: ColumnMachine | undefined): Float64Array | string => {
            const out = new Float64Array(count);
            try {
              decodeTimes(grouping, which, stream, out, by);
            } catch (error) {
              return String(error);
            }
            return out;
          };
          const here = decode(undefined);
          if (typeof here !== 'string') groupings.add(grouping);
          expect(decode(machine)).toEqual(here);
        }
      },
    ),
    { numRuns: 100, seed: 37 },
  );
  expect(groupings.size).toBe(3);
});
