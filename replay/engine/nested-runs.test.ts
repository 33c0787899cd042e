import { describe, expect, test } from 'vitest';
import type { LaneIntent } from './flush-lane.ts';
import { nestedRuns } from './nested-runs.ts';

/** A mapping of one page; `returned`: its call came back behind it. */
const piece = (page: number, returned = false, key = 1): LaneIntent => ({
  mapped: true,
  returned,
  key,
  first: page,
  last: page,
  cpu: 0,
  task: key,
});
const unmap: LaneIntent = { ...piece(0x900), mapped: false };

const order = (intents: readonly LaneIntent[], gap = 1000): readonly (readonly number[])[] =>
  nestedRuns(
    intents,
    intents.map((_, i) => gap * i),
  );

describe('order of the flushes of mappings', () => {
  test('pieces of a call that returned are one flush', () => {
    expect(order([piece(1), piece(2), piece(3, true), piece(4, true)])).toEqual([[0, 1, 2], [3]]);
  });

  test('an unmap in the middle comes first', () => {
    expect(order([piece(1), piece(2), unmap, piece(3, true)])).toEqual([[2], [0, 1, 3]]);
  });

  test('so does a list in the middle, and what it lies in goes on', () => {
    expect(order([piece(1), piece(8), unmap, piece(9, true), piece(2, true)])).toEqual([[2], [1, 3], [0, 4]]);
  });

  test('pieces whose call was not seen to return stay apart', () => {
    expect(order([piece(1), unmap, piece(2)])).toEqual([[1], [0], [2]]);
  });

  test('a task that waited for its CPU goes on', () => {
    expect(order([piece(1), unmap, piece(2, true)], 3e7)).toEqual([[1], [0, 2]]);
  });

  test('another submitter, and a mapping long after, go on with nothing', () => {
    expect(order([piece(1), piece(2, true, 2), piece(2, true)])).toEqual([[1], [0, 2]]);
    expect(order([piece(1), unmap, piece(2, true)], 3e8)).toEqual([[0], [1], [2]]);
  });
});
