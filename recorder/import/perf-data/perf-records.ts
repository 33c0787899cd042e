import type { ByteSource } from '../../../traces/format/bytes-io.ts';
import { ABSENT } from '../../../traces/units.ts';
import { bytesBehind } from './perf-file.ts';
import type { PerfFile } from './perf-file.ts';
import { rawOffset, sampleLayout } from './sample-layout.ts';
import type { SampleLayout } from './sample-layout.ts';

/** Types of records (include/uapi/linux/perf_event.h; from 64 on tools/lib/perf/include/perf/event.h). */
const RECORD = {
  lost: 2,
  sample: 9,
  lostSamples: 13,
  finishedRound: 68,
  auxtrace: 71,
  compressed: 81,
  compressed2: 83,
} as const;
const HEADER = 8;
const WINDOW_BYTES = 1024 * 1024;
/** Samples, and bytes of their records, that are held at most while their round has not ended. */
const MAX_HELD = 4_000_000;
const MAX_HELD_BYTES = 256 * 1024 * 1024;
const TWO_32 = 4294967296;

/** One sample, or one report of losses. */
export interface PerfItem {
  /** ns since the epoch. */
  time: number;
  cpu: number;
  /** Events lost; 0 for a sample. */
  lost: number;
  /** Where the record lies; -1 where the sample has none. */
  rawAt: number;
  rawLength: number;
}

type Taker = (item: PerfItem, bytes: Uint8Array, words: Int32Array) => void;

/**
 * Walks the records of a perf.data. perf writes what it finds in each CPU's buffer round by round: at a round's end, all that is
 * not later than the end of the round before can be put in order (tools/perf/util/ordered-events.c).
 */
export class PerfRecords {
  readonly #source: ByteSource;
  readonly #little: boolean;
  readonly #layouts: readonly SampleLayout[];
  readonly #tracepoint: readonly boolean[];
  readonly #attrOfId = new Map<string, number>();
  readonly #uniform: boolean;
  readonly #epochLo: number;
  readonly #epochHi: number;
  readonly #damaged: (what: string, offset: number) => void;
  readonly #fixedEnd: number;
  readonly #growing: boolean;
  #pos: number;
  /** Held samples: columns, and the bytes of their records one behind the other. */
  #times = new Float64Array(1024);
  #columns = new Int32Array(4096);
  #bytes = new Uint8Array(65536);
  #count = 0;
  #used = 0;
  #newest = Number.NEGATIVE_INFINITY;
  /** Newest time at the end of the round before. */
  #settled = Number.NEGATIVE_INFINITY;
  #ready = Number.NEGATIVE_INFINITY;
  /** Sum over events of what the kernel says at the end. */
  lostSamples = 0;
  compressed = 0;

  /** `growing`: records are added to the source while they are read. */
  constructor(
    source: ByteSource,
    file: PerfFile,
    epoch: bigint,
    damaged: (what: string, offset: number) => void,
    growing = false,
  ) {
    this.#source = source;
    this.#growing = growing;
    const { littleEndian, attrs, data } = file;
    this.#little = littleEndian;
    this.#layouts = attrs.map(sampleLayout);
    this.#tracepoint = attrs.map(({ tracepoint }) => tracepoint);
    attrs.forEach(({ ids }, i) => {
      for (const id of ids) this.#attrOfId.set(id, i);
    });
    const [first] = attrs;
    this.#uniform = attrs.every(
      ({ sampleType, readFormat, tracepoint }) =>
        sampleType === first?.sampleType && readFormat === first.readFormat && tracepoint,
    );
    this.#epochLo = Number(BigInt.asUintN(32, epoch));
    this.#epochHi = Number(BigInt.asUintN(32, epoch >> 32n));
    this.#damaged = damaged;
    this.#pos = data.offset;
    // A recorder that was killed has not written how much there is.
    this.#fixedEnd = data.size === 0 ? source.size : Math.min(source.size, data.offset + data.size);
    if (growing) return;
    if (data.size === 0) damaged('the recorder did not finish the file', data.offset);
    else if (data.offset + data.size > source.size) damaged('samples are cut', source.size);
  }

  get #end(): number {
    return this.#growing ? this.#source.size : this.#fixedEnd;
  }

  /** Bytes that are read: they are not asked for again. */
  get position(): number {
    return this.#pos;
  }

  /** Reads a window of records; false after the last that is there. */
  read(): boolean {
    if (this.#layouts.length === 0) return false;
    const from = this.#pos;
    const bytes = this.#source.read(from, Math.max(0, Math.min(WINDOW_BYTES, this.#end - from)));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const little = this.#little;
    let at = 0;
    while (at + HEADER <= bytes.length) {
      const type = view.getUint32(at, little);
      const size = view.getUint16(at + 6, little);
      if (size < HEADER) {
        this.#damaged(`record of ${size} bytes`, from + at);
        this.#pos = this.#end;
        return this.#finish();
      }
      if (at + size > bytes.length) break;
      this.#record(type, bytes, view, at, at + size);
      at += size;
      if (type === RECORD.auxtrace && size >= HEADER + 8) {
        // Data of another kind stands behind the record.
        at += view.getUint32(at - size + HEADER + (little ? 0 : 4), little);
      }
      if (size >= HEADER + 4) at += bytesBehind(type, view, at - size, little);
    }
    if (at === 0 && this.#growing) return false;
    if (at === 0) {
      if (this.#end - from > 0) this.#damaged('last record is cut', from);
      return this.#finish();
    }
    this.#pos = from + at;
    return true;
  }

  /** Nothing more is waited for: all that is held can be taken. */
  settle(): void {
    this.#ready = Number.POSITIVE_INFINITY;
  }

  #finish(): false {
    this.settle();
    return false;
  }

  /** Gives out, in order of time, what can no more be preceded by anything that comes. */
  take(taker: Taker): void {
    const full = this.#count > MAX_HELD || this.#used > MAX_HELD_BYTES;
    const limit = full ? Number.POSITIVE_INFINITY : this.#ready;
    const times = this.#times;
    const columns = this.#columns;
    const order: number[] = [];
    for (let i = 0; i < this.#count; i++) if (times[i]! <= limit) order.push(i);
    if (order.length === 0) return;
    // Stable: records of one time stay in the order of the file.
    order.sort((a, b) => times[a]! - times[b]!);
    const bytes = this.#bytes;
    const words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
    const item: PerfItem = { time: 0, cpu: 0, lost: 0, rawAt: 0, rawLength: 0 };
    for (const i of order) {
      item.time = times[i]!;
      item.cpu = columns[i * 4]!;
      item.lost = columns[i * 4 + 1]!;
      item.rawAt = columns[i * 4 + 2]!;
      item.rawLength = columns[i * 4 + 3]!;
      taker(item, bytes, words);
    }
    this.#keepLaterThan(limit);
  }

  #keepLaterThan(limit: number): void {
    const times = this.#times;
    const columns = this.#columns;
    const kept = this.#bytes.slice(0, this.#used);
    const count = this.#count;
    this.#count = 0;
    this.#used = 0;
    for (let i = 0; i < count; i++) {
      if (times[i]! <= limit) continue;
      const at = columns[i * 4 + 2]!;
      const length = columns[i * 4 + 3]!;
      this.#hold(times[i]!, columns[i * 4]!, columns[i * 4 + 1]!, kept, at, length);
    }
  }

  #record(type: number, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    switch (type) {
      case RECORD.sample:
        this.#sample(bytes, view, start, end);
        return;
      case RECORD.lost:
      case RECORD.lostSamples:
        this.#loss(type, bytes, view, start, end);
        return;
      case RECORD.compressed:
      case RECORD.compressed2:
        this.compressed++;
        return;
      case RECORD.finishedRound:
        this.#ready = this.#settled;
        this.#settled = this.#newest;
        return;
      default:
        // Names of tasks, mappings and the like.
        return;
    }
  }

  #sample(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const little = this.#little;
    const attr = this.#attrOf(view, start, end);
    const layout = this.#layouts[attr]!;
    if (start + layout.variable > end) {
      this.#damaged('sample is cut', this.#pos + start);
      return;
    }
    const time = layout.time < 0 ? this.#latest() : this.#time(view, start + layout.time);
    const cpu = layout.cpu < 0 ? ABSENT : view.getInt32(start + layout.cpu, little);
    const raw = this.#tracepoint[attr]! ? rawOffset(layout, view, start, end, little) : -1;
    const length = raw < 0 ? 0 : view.getUint32(raw, little);
    if (raw >= 0 && raw + 4 + length > end) {
      this.#damaged('sample is cut', this.#pos + start);
      return;
    }
    this.#hold(time, cpu, 0, bytes, raw < 0 ? -1 : raw + 4, length);
  }

  /** Which event a sample is of: by the counter's id, unless all events have samples of the same layout. */
  #attrOf(view: DataView, start: number, end: number): number {
    if (this.#uniform) return 0;
    const { id } = this.#layouts[0]!;
    if (id < 0 || start + id + 8 > end) return 0;
    return this.#attrOfId.get(String(view.getBigUint64(start + id, this.#little))) ?? 0;
  }

  // lost: u64 id, u64 count; lost_samples: u64 count; then who and when.
  #loss(type: number, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const at = start + HEADER + (type === RECORD.lost ? 8 : 0);
    if (at + 8 > end) return;
    const count = Math.min(Number(view.getBigUint64(at, this.#little)), 0x7fffffff);
    if (type === RECORD.lostSamples) {
      this.lostSamples += count;
      return;
    }
    const { trailerTime, trailerCpu } = this.#layouts[0]!;
    const timeAt = trailerTime < 0 ? -1 : end - trailerTime;
    const cpuAt = trailerCpu < 0 ? -1 : end - trailerCpu;
    const time = timeAt < at + 8 ? this.#latest() : this.#time(view, timeAt);
    this.#hold(time, cpuAt < at + 8 ? ABSENT : view.getInt32(cpuAt, this.#little), count, bytes, -1, 0);
  }

  #latest(): number {
    return Number.isFinite(this.#newest) ? this.#newest : 0;
  }

  #time(view: DataView, at: number): number {
    const little = this.#little;
    const lo = view.getUint32(at + (little ? 0 : 4), little);
    const hi = view.getUint32(at + (little ? 4 : 0), little);
    return (hi - this.#epochHi) * TWO_32 + (lo - this.#epochLo);
  }

  #hold(time: number, cpu: number, lost: number, bytes: Uint8Array, at: number, length: number): void {
    const i = this.#count++;
    if (i >= this.#times.length) {
      const times = new Float64Array(i * 2);
      const columns = new Int32Array(i * 8);
      times.set(this.#times);
      columns.set(this.#columns);
      this.#times = times;
      this.#columns = columns;
    }
    // Converters read 32-bit words.
    const to = (this.#used + 3) & ~3;
    if (to + length > this.#bytes.length) {
      const more = new Uint8Array(Math.max((to + length + 3) & ~3, this.#bytes.length * 2));
      more.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = more;
    }
    if (length > 0) this.#bytes.set(bytes.subarray(at, at + length), to);
    this.#times[i] = time;
    this.#columns[i * 4] = cpu;
    this.#columns[i * 4 + 1] = lost;
    this.#columns[i * 4 + 2] = at < 0 ? -1 : to;
    this.#columns[i * 4 + 3] = length;
    this.#used = to + length;
    if (time > this.#newest) this.#newest = time;
  }
}
