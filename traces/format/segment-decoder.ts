import { STREAM_NAMES } from '../schema.ts';
import type { BytesColumn, StreamName } from '../schema.ts';
import { SEGMENT_BYTES } from '../segment.ts';
import type { Segment, StreamRows } from '../segment.ts';
import type { ReadPlan } from '../trace.ts';
import { freshArrays } from './array-pool.ts';
import type { ArrayPool } from './array-pool.ts';
import { constantOf, decodeByteString, decodeColumn } from './column.ts';
import { ownMachine } from './decoder/column-machine.ts';
import type { ColumnMachine } from './decoder/column-machine.ts';
import { MOST_STREAMS } from './decoder/events-code.ts';
import { SLOTS, newestBefore } from './layout.ts';
import type { Slot } from './layout.ts';
import type { ColumnAccess } from './prediction.ts';
import { checkBytes, checkInteger } from './segment-frame.ts';
import type { SegmentContent, SegmentSummary } from './segment-frame.ts';
import { decodeTimes } from './time-column.ts';

type Block = readonly unknown[];

/**
 * Decodes what a plan asks for, and what that is predicted from. Everything is checked against the summary: consumers may index
 * without looking. Throws `RangeError` (or a zlib error) where the content is damaged.
 */
export function decodeSegment(
  content: SegmentContent,
  summary: SegmentSummary,
  plan: ReadPlan,
  pool: ArrayPool = freshArrays(plan.shared === true),
): Segment {
  const n = summary.count;
  const shared = content[6];
  if (!Array.isArray(shared)) throw new RangeError('shared columns expected');
  const machine = pool.machine ?? ownMachine();
  const stream = decodeStreams(shared[0], summary, pool, machine);
  const timed = plan.untimed === true ? UNTIMED : decodeTimed(shared, stream, n, pool, machine);

  const blocks = new Map<number, Block>();
  for (const block of content.slice(7)) {
    if (!Array.isArray(block)) throw new RangeError('a block of a stream expected');
    blocks.set(checkInteger(block[0], 'stream number'), block);
  }
  const columns = new BlockColumns(blocks, summary, stream, pool, machine);
  const rows: Record<string, StreamRows<StreamName>> = {};
  STREAM_NAMES.forEach((name, id) => {
    const wanted = plan.columns === undefined ? 'all' : (plan.columns[name] ?? []);
    rows[name] = columns.rows(id, wanted);
  });
  return {
    firstEvent: summary.firstEvent,
    count: n,
    stream,
    ...timed,
    rows: rows as unknown as Segment['rows'],
  };
}

/** A call of `fill` costs as much as so many stores. */
const LONG_RUN = 64;

type Timed = Pick<Segment, 'time' | 'cpu' | 'task' | 'source'>;

const UNTIMED: Timed = {
  time: new Float64Array(0),
  cpu: new Int32Array(0),
  task: new Int32Array(0),
  source: new Uint8Array(0),
};

function decodeTimed(
  shared: readonly unknown[],
  stream: Uint8Array,
  n: number,
  pool: ArrayPool,
  machine: ColumnMachine | undefined,
): Timed {
  const time = pool.float64(n);
  decodeTimes(checkInteger(shared[1], 'grouping'), checkBytes(shared[2], 'times'), stream, time, machine);
  const cpu = decodeShared(checkBytes(shared[3], 'cpus'), n, pool, machine);
  const task = decodeShared(checkBytes(shared[4], 'tasks'), n, pool, machine);
  const source = decodeSources(checkBytes(shared[5], 'sources'), n, pool, machine);
  return { time, cpu, task, source };
}

function decodeSources(
  encoded: Uint8Array,
  rows: number,
  pool: ArrayPool,
  machine: ColumnMachine | undefined,
): Uint8Array {
  const source = pool.uint8(rows);
  const value = constantOf(encoded);
  if (value !== undefined) return source.fill(value);
  source.set(decodeShared(encoded, rows, pool, machine));
  return source;
}

function decodeShared(
  encoded: Uint8Array,
  rows: number,
  pool: ArrayPool,
  machine: ColumnMachine | undefined,
): Int32Array {
  const value = constantOf(encoded);
  if (value !== undefined) return pool.constant(value, rows);
  const array = pool.int32(rows);
  decodeColumn(encoded, array, machine);
  return array;
}

function decodeStreams(
  encoded: unknown,
  summary: SegmentSummary,
  pool: ArrayPool,
  machine: ColumnMachine | undefined,
): Uint8Array {
  const n = summary.count;
  const ids = pool.int32(n);
  decodeColumn(checkBytes(encoded, 'streams'), ids, machine);
  const stream = pool.uint8(n);
  const seen = (machine?.suits(n) === true ? narrowAt(machine, ids, stream) : undefined) ?? narrow(ids, stream);
  for (let id = 0; id < MOST_STREAMS; id++) {
    const rows = id < STREAM_NAMES.length ? (summary.rows[id] ?? 0) : 0;
    if (seen[id] !== rows) throw new RangeError('streams do not add up');
  }
  return stream;
}

/** Stream numbers as bytes; returns how many there are of each. Throws `RangeError` where one can't be. */
function narrow(ids: Int32Array, stream: Uint8Array): Int32Array {
  const n = ids.length;
  // Run by run: accesses come in runs, and a segment of nothing else is one.
  const seen = new Int32Array(MOST_STREAMS);
  for (let i = 0; i < n; ) {
    const id = ids[i]!;
    if (id >>> 5 !== 0) throw new RangeError('a stream number is out of range');
    const from = i;
    do i++;
    while (i < n && ids[i] === id);
    if (i - from > LONG_RUN) stream.fill(id, from, i);
    else for (let k = from; k < i; k++) stream[k] = id;
    seen[id]! += i - from;
  }
  return seen;
}

/** The same by a machine; undefined where one can't be. */
function narrowAt(machine: ColumnMachine, ids: Int32Array, stream: Uint8Array): Int32Array | undefined {
  const counts = machine.word(machine.at.contexts);
  machine.ints.fill(0, counts, counts + MOST_STREAMS);
  const out = machine.placeFor(stream, 'stream');
  const from = machine.addressOf(ids, 'first');
  if (machine.calls.narrow(from, ids.length, out, machine.at.contexts) === 0) return undefined;
  machine.deliver(out, stream);
  return machine.ints.subarray(counts, counts + MOST_STREAMS);
}

/** Whether this is the byte string of no contents. */
function isEmpty(contents: unknown): boolean {
  return contents instanceof Uint8Array && decodeByteString(contents, 0).length === 0;
}

/** The columns of a segment's blocks, decoded when they are first needed and once. */
class BlockColumns implements ColumnAccess {
  readonly #blocks: ReadonlyMap<number, Block>;
  readonly #summary: SegmentSummary;
  readonly #stream: Uint8Array;
  readonly #pool: ArrayPool;
  readonly #decoded = new Map<number, Int32Array>();
  readonly #newest = new Map<number, Int32Array>();
  readonly #machine: ColumnMachine | undefined;

  constructor(
    blocks: ReadonlyMap<number, Block>,
    summary: SegmentSummary,
    stream: Uint8Array,
    pool: ArrayPool,
    machine: ColumnMachine | undefined,
  ) {
    this.#machine = machine;
    this.#blocks = blocks;
    this.#summary = summary;
    this.#stream = stream;
    this.#pool = pool;
  }

  rows(stream: number, wanted: readonly string[] | 'all'): StreamRows<StreamName> {
    const count = this.#summary.rows[stream] ?? 0;
    if (count > 0 && !this.#blocks.has(stream)) throw new RangeError(`rows of stream ${stream} are not there`);
    const columns: Record<string, Int32Array | BytesColumn> = {};
    for (const slot of SLOTS[stream] ?? []) {
      if (wanted !== 'all' && !wanted.includes(slot.column)) continue;
      if (slot.type === 'contents') continue;
      columns[slot.property] =
        slot.type === 'lengths' ? this.#bytes(stream, slot, count) : this.column(stream, slot.number);
    }
    // A copy is no hash table, as an object of many computed names is (`SegmentBuilder`).
    return { count, columns: { ...columns } } as unknown as StreamRows<StreamName>;
  }

  column(stream: number, property: number): Int32Array {
    const key = stream * 256 + property;
    const known = this.#decoded.get(key);
    if (known !== undefined) return known;
    const slot = SLOTS[stream]?.[property];
    if (slot === undefined || slot.type === 'lengths' || slot.type === 'contents') {
      throw new RangeError(`stream ${stream} has no integer column ${property}`);
    }
    const rows = this.#summary.rows[stream] ?? 0;
    const encoded = this.#blocks.get(stream)?.[property + 1];
    const value =
      encoded instanceof Uint8Array ? constantOf(encoded) : encoded === undefined ? slot.missing : undefined;
    let array: Int32Array;
    if (rows === 0) array = this.#pool.int32(0);
    else if (value !== undefined) array = this.#pool.constant(value, rows);
    else {
      array = this.#pool.int32(rows);
      decodeColumn(checkBytes(encoded, slot.property), array, this.#machine, { stream, property, access: this });
    }
    this.#decoded.set(key, array);
    return array;
  }

  newestBefore(stream: number, other: number): Int32Array {
    const key = stream * 256 + other;
    let newest = this.#newest.get(key);
    if (newest === undefined) {
      const rows = this.#summary.rows[stream] ?? 0;
      newest = this.#findNewest(rows, stream, other);
      this.#newest.set(key, newest);
    }
    return newest;
  }

  #findNewest(rows: number, stream: number, other: number): Int32Array {
    const { count } = this.#summary;
    const machine = this.#machine;
    if (machine?.suits(count) !== true) return newestBefore(this.#stream, count, rows, stream, other);
    const newest = this.#pool.int32(rows);
    const out = machine.placeFor(newest, 'first');
    machine.calls.newest(machine.addressOf(this.#stream, 'stream'), count, stream, other, out);
    machine.deliver(out, newest);
    return newest;
  }

  #bytes(stream: number, slot: Slot, count: number): BytesColumn {
    const block = this.#blocks.get(stream);
    const lengths = block?.[slot.number + 1];
    const contents = block?.[slot.number + 2];
    const none = lengths === undefined || contents === undefined;
    if (none || (lengths instanceof Uint8Array && constantOf(lengths) === 0 && isEmpty(contents))) {
      return { offsets: this.#pool.constant(0, count + 1), data: this.#pool.uint8(0) };
    }
    const sizes = this.#pool.int32(count);
    decodeColumn(checkBytes(lengths, 'lengths'), sizes, this.#machine);
    const offsets = this.#pool.int32(count + 1);
    offsets[0] = 0;
    let end = 0;
    for (let i = 0; i < count; i++) {
      const size = sizes[i]!;
      if (size < 0 || size > SEGMENT_BYTES - end) throw new RangeError('byte strings exceed the segment');
      end += size;
      offsets[i + 1] = end;
    }
    const raw = decodeByteString(checkBytes(contents, 'contents'), SEGMENT_BYTES, this.#machine);
    if (raw.length !== end) throw new RangeError('byte strings do not add up');
    const data = this.#pool.uint8(end);
    data.set(raw);
    return { offsets, data };
  }
}
