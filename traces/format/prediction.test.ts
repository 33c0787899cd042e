import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteBuffer, ByteReader } from './byte-buffer.ts';
import { ColumnEncoder } from './column-encoder.ts';
import { decodeColumn } from './column.ts';
import { newestBefore } from './layout.ts';
import { addPrediction, readPrediction, writePrediction } from './prediction.ts';
import type { ColumnAccess, Prediction } from './prediction.ts';
import { chooseModes } from './prediction-offers.ts';
import { residuals } from './residuals.ts';

/** Stream 1 has one column; stream 4 has a kind, a column and the one under test. */
function accessTo(columns: Record<string, Int32Array>, newest: Int32Array): ColumnAccess {
  return {
    column: (stream, property) => columns[`${stream}.${property}`] ?? new Int32Array(0),
    newestBefore: () => newest,
  };
}

const rows = fc.array(fc.record({ kind: fc.constantFrom(0, 1, 7), other: fc.integer(), value: fc.integer() }), {
  maxLength: 200,
});

describe('predictions', () => {
  test('differences and prediction give back the column', () => {
    fc.assert(
      fc.property(rows, fc.array(fc.integer(), { minLength: 1, maxLength: 20 }), (list, far) => {
        const values = Int32Array.from(list, ({ value }) => value);
        const newest = Int32Array.from(list, (_, i) => Math.min(i, far.length) - 1);
        const columns = {
          '1.0': Int32Array.from(far),
          '1.1': Int32Array.from(far, (value) => value & 1),
          '4.0': Int32Array.from(list, ({ kind }) => kind),
          '4.1': Int32Array.from(list, ({ other }) => other),
        };
        const access = accessTo(columns, newest);
        const kinds = chooseModes(values, columns['4.0']);
        const all: Prediction[] = [
          { type: 'row', property: 1 },
          { type: 'last', stream: 1, property: 0 },
          ...(kinds === undefined ? [] : [{ type: 'kind' as const, property: 0, kinds }]),
          {
            type: 'follow',
            property: 0,
            stream: 1,
            otherKind: 1,
            other: 0,
            kinds: [
              { value: 0, mode: 3 },
              { value: 1, mode: 1 },
              { value: 7, mode: 3 },
            ],
          },
        ];
        for (const prediction of all) {
          const out = new ByteBuffer();
          writePrediction(prediction, out);
          expect(readPrediction(new ByteReader(out.take()), 4, 2)).toEqual(prediction);
          const back = residuals(prediction, values, 4, access);
          addPrediction(prediction, back, 4, access);
          expect(back).toEqual(values);
        }
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  test('a reference to itself, to a later column or to a later stream is refused', () => {
    for (const prediction of [
      { type: 'row', property: 2 },
      { type: 'last', stream: 4, property: 0 },
      { type: 'kind', property: 5, kinds: [{ value: 0, mode: 1 }] },
      { type: 'follow', property: 0, kinds: [{ value: 0, mode: 3 }], stream: 4, otherKind: 0, other: 1 },
      { type: 'follow', property: 2, kinds: [{ value: 0, mode: 3 }], stream: 1, otherKind: 0, other: 1 },
    ] satisfies Prediction[]) {
      const out = new ByteBuffer();
      writePrediction(prediction, out);
      expect(() => readPrediction(new ByteReader(out.take()), 4, 2)).toThrow(RangeError);
    }
  });

  test('a column that repeats an address of another stream costs next to nothing', () => {
    const n = 5000;
    let seed = 1;
    const far = Int32Array.from({ length: n }, () => (seed = (Math.imul(seed, 1103515245) + 12345) | 0) & ~0xfff);
    const values = far.map((address) => address | 0x40);
    const newest = Int32Array.from({ length: n }, (_, i) => i);
    const access = accessTo({ '1.0': far }, newest);
    const encoder = new ColumnEncoder('deflate');
    const offer = { stream: 4, access, candidates: () => [{ type: 'last', stream: 1, property: 0 } as const] };
    const predicted = encoder.encode('a', values, offer);
    const plain = new ColumnEncoder('deflate').encode('a', values);
    expect(predicted.length).toBeLessThan(30);
    expect(plain.length).toBeGreaterThan(n);
    const back = new Int32Array(n);
    decodeColumn(predicted, back, undefined, { stream: 4, property: 2, access });
    expect(back).toEqual(values);
  });

  test('unmaps in the order of their maps cost nothing, where the order came before', () => {
    const n = 4000;
    let seed = 7;
    const ring = Int32Array.from({ length: 500 }, () => (seed = (Math.imul(seed, 1103515245) + 12345) | 0) & ~0xfff);
    const maps = Int32Array.from({ length: n }, (_, i) => ring[i % 500]!);
    // each unmap is seen twice, of two kinds, 500 maps behind its map
    const kinds = Int32Array.from({ length: 2 * (n - 500) }, (_, i) => i & 1);
    const unmaps = kinds.map((_, i) => maps[i >>> 1]!);
    const access = accessTo(
      { '1.0': maps, '1.1': new Int32Array(n), '4.0': kinds },
      kinds.map((_, i) => 500 + (i >>> 1)),
    );
    const modes = [
      { value: 0, mode: 3 },
      { value: 1, mode: 1 },
    ];
    const follow = { type: 'follow', property: 0, kinds: modes, stream: 1, otherKind: 1, other: 0 } as const;
    const differences = residuals(follow, unmaps, 4, access);
    expect(differences.filter((difference) => difference !== 0)).toHaveLength(1);
    addPrediction(follow, differences, 4, access);
    expect(differences).toEqual(unmaps);
  });

  test('values that all fall into one slot of the table of successors are read back', () => {
    // low 12 bits folded away: v ^ (v >>> 12) is 0 for v = 0 alone, so slots are searched for instead
    const slotOf = (value: number): number => {
      const hash = Math.imul(value ^ (value >>> 12), 0x9e3779b1);
      return (hash ^ (hash >>> 15)) & 1023;
    };
    const chosen: number[] = [];
    for (let value = 1; chosen.length < 400; value++) if (slotOf(value) === 5) chosen.push(value);
    const maps = Int32Array.from([...chosen, ...chosen]);
    const kinds = new Int32Array(maps.length);
    const access = accessTo(
      { '1.0': maps, '1.1': kinds, '4.0': kinds },
      kinds.map((_, i) => i),
    );
    const follow = {
      type: 'follow',
      property: 0,
      kinds: [{ value: 0, mode: 3 }],
      stream: 1,
      otherKind: 1,
      other: 0,
    } as const;
    const differences = residuals(follow, maps, 4, access);
    addPrediction(follow, differences, 4, access);
    expect(differences).toEqual(maps);
  });

  test('the newest row before each row, in trace order', () => {
    const order = Uint8Array.from([4, 1, 4, 4, 1, 1, 4, 9]);
    expect([...newestBefore(order, order.length, 4, 4, 1)]).toEqual([-1, 0, 0, 2]);
  });
});
