import { SEGMENT_EVENTS } from '../../segment.ts';

/** Differences of the column that is being encoded. */
let room = new Int32Array(SEGMENT_EVENTS);

/** Room for so many numbers, until it is asked for again: encoding allocates nothing for each column. */
export function numbersRoom(count: number): Int32Array {
  if (room.length < count) room = new Int32Array(count);
  return room.subarray(0, count);
}

/**
 * Each value shifted right, less the one `lag` rows before (0: less nothing), in zigzag. Returns which bits any of them has. Each loop
 * over rows is a function of its own: it is optimised once, whatever is done around it.
 */
export function zigzagDifferences(values: Int32Array, lag: number, shift: number, out: Int32Array): number {
  const first = lag === 0 ? values.length : Math.min(lag, values.length);
  return zigzag(values, first, shift, out) | (lag === 0 ? 0 : zigzagLag(values, lag, shift, out));
}

function zigzag(values: Int32Array, end: number, shift: number, out: Int32Array): number {
  let union = 0;
  for (let i = 0; i < end; i++) {
    const value = values[i]! >> shift;
    union |= out[i] = (value << 1) ^ (value >> 31);
  }
  return union;
}

function zigzagLag(values: Int32Array, lag: number, shift: number, out: Int32Array): number {
  let union = 0;
  for (let i = lag; i < values.length; i++) {
    const difference = ((values[i]! >> shift) - (values[i - lag]! >> shift)) | 0;
    union |= out[i] = (difference << 1) ^ (difference >> 31);
  }
  return union;
}
