import { ByteBuffer, ByteReader } from './byte-buffer.ts';
import type { ColumnEncoder } from './column-encoder.ts';
import { decodeByteString } from './column.ts';
import type { ColumnMachine } from './decoder/column-machine.ts';
import { SEGMENT_EVENTS } from '../segment.ts';

/**
 * Times of a segment: the difference to the event before, in units of the clock's step. How long after the event before an
 * event comes depends on what the two are (a flush follows its unmap at once, a map follows an unmap after a while), so the
 * differences are written grouped by stream, or by the pair of streams, and each group compresses by itself. That takes a
 * third off the largest column of real captures.
 *
 * Layout: grouping, unit as varint, first time as float64, zigzag varints of the differences, group by group.
 */

const GROUPINGS = 3;
const MAX_STREAMS = 32;

function greatestCommonDivisor(a: number, b: number): number {
  let x = a;
  let y = b;
  while (y > 0) {
    const rest = x % y;
    x = y;
    y = rest;
  }
  return x;
}

/** Where each context's run begins among the differences, which are numbered from 1 as the events are. */
function groupStarts(stream: Uint8Array, count: number, grouping: number): Int32Array {
  const starts = new Int32Array(MAX_STREAMS * MAX_STREAMS + 1);
  const wide = grouping === 2 ? MAX_STREAMS : 0;
  // run by run: within one the context stays the same
  for (let i = 1, before = stream[0]!; i < count; ) {
    const now = stream[i++]!;
    starts[before * wide + now + 1]!++;
    const from = i;
    while (i < count && stream[i] === now) i++;
    starts[now * wide + now + 1]! += i - from;
    before = now;
  }
  starts[0] = 1;
  for (let i = 1; i < starts.length; i++) starts[i]! += starts[i - 1]!;
  return starts;
}

/** Event indexes in the order in which a grouping writes them: a stable counting sort by context. */
function groupOrder(stream: Uint8Array, count: number, grouping: number): Int32Array {
  const order = new Int32Array(count);
  if (grouping === 0) {
    for (let i = 0; i < count; i++) order[i] = i;
    return order;
  }
  const next = groupStarts(stream, count, grouping);
  const wide = grouping === 2 ? MAX_STREAMS : 0;
  for (let i = 1, before = stream[0]!; i < count; i++) {
    const now = stream[i]!;
    const at = before * wide + now;
    order[next[at]!++] = i;
    before = now;
  }
  return order;
}

/** Encodes the times of segment after segment; tries all groupings on every 16th and keeps the winner between. */
export class TimeEncoder {
  readonly #differences = new Float64Array(SEGMENT_EVENTS);
  readonly #out = new ByteBuffer();
  #grouping = 1;
  #age = 0;

  encode(
    time: Float64Array,
    stream: Uint8Array,
    count: number,
    encoder: ColumnEncoder,
  ): { grouping: number; bytes: Uint8Array } {
    const differences = this.#differences;
    const unit = readDifferencesOf(time, count, differences);
    const trial = this.#age++ % 16 === 0;
    let best: { grouping: number; bytes: Uint8Array } | undefined;
    for (let grouping = 0; grouping < GROUPINGS; grouping++) {
      if (!trial && grouping !== this.#grouping) continue;
      const bytes = encoder.encodeBytes(this.#write(time, stream, count, grouping, unit), 'times');
      if (best === undefined || bytes.length < best.bytes.length) best = { grouping, bytes };
    }
    if (best === undefined) throw new RangeError('no grouping of times');
    this.#grouping = best.grouping;
    return best;
  }

  #write(time: Float64Array, stream: Uint8Array, count: number, grouping: number, unit: number): Uint8Array {
    const out = this.#out;
    out.clear();
    out.reserve(24 + count * 8);
    out.varint(unit);
    new DataView(out.bytes.buffer).setFloat64(out.length, time[0] ?? 0, true);
    const order = groupOrder(stream, count, grouping);
    out.length = writeOrdered(this.#differences, order, count, unit, out.bytes, out.length + 8);
    return out.bytes.subarray(0, out.length);
  }
}

/** Fills in the difference of each time to the one before; returns the largest unit that all are whole multiples of. */
function readDifferencesOf(time: Float64Array, count: number, differences: Float64Array): number {
  let unit = 0;
  for (let i = 1; i < count; i++) {
    const difference = time[i]! - time[i - 1]!;
    differences[i] = difference;
    const units = Math.round(difference / unit);
    if (units * unit !== difference) unit = greatestCommonDivisor(Math.abs(difference), unit);
  }
  return unit === 0 ? 1 : unit;
}

/** Writes differences in an order, in zigzag varints; returns where they end. */
function writeOrdered(
  differences: Float64Array,
  order: Int32Array,
  count: number,
  unit: number,
  bytes: Uint8Array,
  from: number,
): number {
  let at = from;
  for (let k = 1; k < count; k++) {
    const units = differences[order[k]!]! / unit;
    let rest = units >= 0 ? units * 2 : -units * 2 - 1;
    while (rest >= 0x80000000) {
      bytes[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    let low = rest | 0;
    while (low >= 0x80) {
      bytes[at++] = low | 0x80;
      low >>>= 7;
    }
    bytes[at++] = low;
  }
  return at;
}

/** Differences as they are written, for all segments that this thread decodes. */
const written = new Float64Array(SEGMENT_EVENTS);

/** Fills `time` (its length is the number of events). Stream numbers must be below 32 and already checked. */
export function decodeTimes(
  grouping: number,
  bytes: Uint8Array,
  stream: Uint8Array,
  time: Float64Array,
  machine?: ColumnMachine,
): void {
  const count = time.length;
  if (grouping < 0 || grouping >= GROUPINGS) throw new RangeError(`unknown grouping ${grouping}`);
  const raw = decodeByteString(bytes, 64 + count * 9, machine);
  const reader = new ByteReader(raw);
  const unit = reader.varint();
  if (raw.length - reader.at < 8) throw new RangeError('times end early');
  const first = new DataView(raw.buffer, raw.byteOffset, raw.length).getFloat64(reader.at, true);
  if (!Number.isSafeInteger(first)) throw new RangeError('first time is not an integer');
  if (machine?.suits(count) === true && timesAt(machine, raw, reader.at + 8, stream, time, { grouping, unit, first })) {
    return;
  }
  readDifferences(raw, reader.at + 8, count);
  if (count === 0) return;
  // Each context reads its own run of what was written: no scattered writes.
  const wide = grouping === 2 ? MAX_STREAMS : 0;
  const next = groupStarts(stream, count, grouping);
  let now = first;
  time[0] = now;
  let before = stream[0]!;
  if (grouping === 0) for (let i = 1; i < count; i++) time[i] = now += written[i]! * unit;
  else {
    for (let i = 1; i < count; ) {
      const id = stream[i]!;
      const first = before * wide + id;
      now += written[next[first]!++]! * unit;
      time[i++] = now;
      const context = id * wide + id;
      let at = next[context]!;
      for (; i < count && stream[i] === id; i++) time[i] = now += written[at++]! * unit;
      next[context] = at;
      before = id;
    }
  }
  if (!Number.isSafeInteger(now)) throw new RangeError('time exceeds 2^53 ns');
}

/** The same by a machine: differences begin at `from` of the bytes. False where they are damaged. */
function timesAt(
  machine: ColumnMachine,
  raw: Uint8Array,
  from: number,
  stream: Uint8Array,
  time: Float64Array,
  { grouping, unit, first }: { readonly grouping: number; readonly unit: number; readonly first: number },
): boolean {
  const { calls, ints, at } = machine;
  const count = time.length;
  const { byteOffset, length } = machine.reader(raw).bytes;
  if (calls.differences(byteOffset + from, byteOffset + length, count, at.doubles, at.numbers) === 0) return false;
  let streams: number;
  if (grouping === 0) {
    // all of one context
    streams = at.marks;
    calls.fill(streams, count >>> 2, 0);
    calls.fill(streams + (count & -4), 1, 0);
  } else streams = machine.addressOf(stream, 'marks');
  const wide = grouping === 2 ? MAX_STREAMS : 0;
  const contexts = machine.word(at.contexts);
  ints.fill(0, contexts, contexts + MAX_STREAMS * MAX_STREAMS);
  calls.starts(streams, streams + count, wide, at.contexts);
  let place = at.doubles + 8;
  for (let i = contexts; i < contexts + MAX_STREAMS * MAX_STREAMS; i++) {
    const bytes = ints[i]!;
    ints[i] = place;
    place += bytes;
  }
  const out = machine.placeFor(time, 'out');
  calls.times(streams, streams + count, wide, at.contexts, unit, first, out);
  machine.deliver(out, time);
  return Number.isSafeInteger(time[count - 1]!);
}

function readDifferences(raw: Uint8Array, from: number, count: number): void {
  let at = from;
  for (let k = 1; k < count; k++) {
    const byte = raw[at++];
    if (byte === undefined) throw new RangeError('times end early');
    if (byte < 0x80) {
      written[k] = (byte >>> 1) ^ -(byte & 1);
      continue;
    }
    let zigzag = byte & 0x7f;
    let factor = 128;
    for (;;) {
      const more = raw[at++];
      if (more === undefined || factor > 2 ** 49) throw new RangeError('times end early');
      zigzag += (more & 0x7f) * factor;
      if (more < 0x80) break;
      factor *= 128;
    }
    written[k] = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }
}
