import { parseField } from './event-format.ts';
import type { EventRecord } from './event-record.ts';
import { LITTLE_HOST, readWord } from './record-words.ts';

/** How a sub-buffer ("page") of the ring buffer begins; `events/header_page` announces it. */
export interface SubBufferLayout {
  /** Where the u64 time stamp lies. */
  readonly timestamp: number;
  /** Where the commit word lies, and how many bytes it has: a `long` of the kernel. */
  readonly commit: number;
  readonly commitBytes: 4 | 8;
  /** Where events begin. */
  readonly data: number;
  /** Bytes of a whole sub-buffer. */
  readonly bytes: number;
  readonly littleEndian: boolean;
}

/** Linux on 64-bit little-endian machines. */
export const DEFAULT_LAYOUT: SubBufferLayout = {
  timestamp: 0,
  commit: 8,
  commitBytes: 8,
  data: 16,
  bytes: 4096,
  littleEndian: true,
};

/** Sub-buffers are up to 2^7 pages of 64 KiB (kernel/trace/ring_buffer.c, ring_buffer_subbuf_order_set). */
const MAX_SUB_BUFFER = 8 * 1024 * 1024;

/** The text of `events/header_page`; undefined where it can't be one. */
export function parseHeaderPage(text: string, littleEndian: boolean): SubBufferLayout | undefined {
  const fields = text.split('\n').flatMap((line) => parseField(line) ?? []);
  const find = (name: string) => fields.find((field) => field.name === name);
  const timestamp = find('timestamp');
  const commit = find('commit');
  const data = find('data');
  if (timestamp?.size !== 8 || commit === undefined || data === undefined) return undefined;
  const bytes = data.offset + data.size;
  const head = Math.max(timestamp.offset + 8, commit.offset + commit.size);
  if ((commit.size !== 4 && commit.size !== 8) || data.offset < head || bytes > MAX_SUB_BUFFER || data.size < 16) {
    return undefined;
  }
  if (((timestamp.offset | commit.offset | data.offset | bytes) & 3) !== 0) return undefined;
  return {
    timestamp: timestamp.offset,
    commit: commit.offset,
    commitBytes: commit.size,
    data: data.offset,
    bytes,
    littleEndian,
  };
}

const TYPE_PADDING = 29;
const TYPE_TIME_EXTEND = 30;
const TYPE_TIME_STAMP = 31;
/** RB_MISSED_EVENTS and RB_MISSED_STORED of the commit word; what is left below is a length. */
const MISSED = 1 << 31;
const MISSED_STORED = 1 << 30;
const LENGTH_MASK = (1 << 27) - 1;
const TWO_27 = 134217728;
const TWO_32 = 4294967296;
const TWO_59 = TWO_27 * TWO_32;

/**
 * Walks the events of one sub-buffer after the other (kernel/trace/ring_buffer.c, include/linux/ring_buffer.h). After `open`,
 * each `next` that returns true leaves an event in `at`, `length` and `time`. Nothing is allocated per event.
 *
 * An event's head is a u32: type_len in the low 5 bits, time_delta in the other 27 (the other way round where the machine is
 * big-endian). type_len 1..28: 4 * type_len bytes follow. 0: a u32 with the length, itself included. 29: padding. 30: the time
 * advances by u32 << 27 more. 31: the time is u32 << 27 | time_delta, the top 5 bits as they were.
 */
export class SubBufferReader implements EventRecord {
  readonly #layout: SubBufferLayout;
  readonly #epochLo: number;
  readonly #epochHi: number;
  readonly #little: boolean;
  readonly #swapped: boolean;
  #pos = 0;
  #end = 0;
  #pageHi = 0;
  /** What `open` was given, and its words as this machine reads them. */
  bytes: Uint8Array = new Uint8Array(0);
  words: Int32Array = new Int32Array(0);
  /** Start of the record (its `common_type`) in `bytes`. */
  at = 0;
  /** Bytes of the record, padding to a multiple of 4 included. */
  length = 0;
  /** Units of the buffer's clock since the epoch; exact while that is below 2^53. */
  time = 0;
  /** Events lost before this sub-buffer: 0 for none, -1 where the kernel did not store how many. */
  missed = 0;
  /** What is wrong with the rest of the sub-buffer, once `next` returned false because of it. */
  damage: string | undefined = undefined;

  /** `epoch*` is the clock's value at time 0, as int32 words. */
  constructor(layout: SubBufferLayout, epochLo = 0, epochHi = 0) {
    this.#layout = layout;
    this.#little = layout.littleEndian;
    this.#swapped = layout.littleEndian !== LITTLE_HOST;
    this.#epochLo = epochLo;
    this.#epochHi = epochHi;
  }

  /**
   * Starts on the sub-buffer at `start`; it may be shorter than the layout says, as `trace_pipe_raw` gives it. False where its
   * head is not whole or its commit exceeds it; then `damage` says so. `bytes` lie at a multiple of 4 in memory, `start` in them.
   */
  open(bytes: Uint8Array, start: number, end: number): boolean {
    const { timestamp, commit, commitBytes, data, littleEndian } = this.#layout;
    this.damage = undefined;
    this.missed = 0;
    this.#pos = 0;
    this.#end = 0;
    if (end - start < data || end > bytes.length) return this.#fail('sub-buffer is cut');
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    }
    const lowWord = littleEndian ? 0 : 4;
    const word = this.#word(start + commit + (commitBytes === 8 ? lowWord : 0));
    const length = word & LENGTH_MASK;
    if (length > end - start - data) return this.#fail('sub-buffer says that it holds more than its size');
    this.#pos = start + data;
    this.#end = start + data + length;
    if ((word & MISSED) !== 0) this.#readMissed(word, this.#end, end);
    const lo = this.#word(start + timestamp + lowWord);
    const hi = this.#word(start + timestamp + 4 - lowWord);
    this.#pageHi = hi;
    this.time = this.#sinceEpoch(lo, hi);
    return true;
  }

  /** Goes to the next event. False at the end, or where the rest can't be read (`damage`). */
  next(): boolean {
    const { words } = this;
    const swapped = this.#swapped;
    const little = this.#little;
    const end = this.#end;
    let pos = this.#pos;
    while (pos + 4 <= end) {
      const head = readWord(words, pos >> 2, swapped);
      const type = little ? head & 31 : head >>> 27;
      const delta = little ? head >>> 5 : head & 0x7ffffff;
      let length: number;
      if (type > 0 && type < TYPE_PADDING) {
        this.time += delta;
        pos += 4;
        length = type << 2;
      } else {
        if (type === TYPE_PADDING && delta === 0) break;
        if (pos + 8 > end) return this.#fail('event is cut');
        const word = this.#word(pos + 4) >>> 0;
        if (type === TYPE_TIME_EXTEND) {
          this.time += word * TWO_27 + delta;
          pos += 8;
          continue;
        }
        if (type === TYPE_TIME_STAMP) {
          this.#setTime(word, delta);
          pos += 8;
          continue;
        }
        this.time += delta;
        if (type === TYPE_PADDING) {
          // An event that was taken back; its length does not count the head.
          pos += 4 + ((word + 3) & ~3);
          if (word > end || pos > end) return this.#fail('discarded event reaches beyond its sub-buffer');
          continue;
        }
        if (word < 4) return this.#fail('event has no length');
        if (word > end) return this.#fail('event reaches beyond its sub-buffer');
        pos += 8;
        length = ((word + 3) & ~3) - 4;
      }
      if (pos + length > end) return this.#fail('event reaches beyond its sub-buffer');
      this.at = pos;
      this.length = length;
      this.#pos = pos + length;
      return true;
    }
    this.#pos = end;
    return false;
  }

  #word(at: number): number {
    return readWord(this.words, at >> 2, this.#swapped);
  }

  #fail(what: string): false {
    this.damage = what;
    this.#pos = this.#end;
    return false;
  }

  #sinceEpoch(lo: number, hi: number): number {
    return ((hi >>> 0) - (this.#epochHi >>> 0)) * TWO_32 + ((lo >>> 0) - (this.#epochLo >>> 0));
  }

  /** The number of lost events is stored behind the data, where there was room. */
  #readMissed(word: number, at: number, end: number): void {
    this.missed = -1;
    const { commitBytes } = this.#layout;
    if ((word & MISSED_STORED) === 0 || at + commitBytes > end) return;
    const { littleEndian } = this.#layout;
    // Behind data that may end anywhere.
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset);
    const low = view.getUint32(at + (commitBytes === 8 && !littleEndian ? 4 : 0), littleEndian);
    const high = commitBytes === 8 ? view.getUint32(at + (littleEndian ? 4 : 0), littleEndian) : 0;
    const count = high * TWO_32 + low;
    if (count > 0 && count <= Number.MAX_SAFE_INTEGER) this.missed = count;
  }

  /** An absolute time stamp of 59 bits. The top 5 bits are the sub-buffer's, or one more where the 59 bits went around. */
  #setTime(word: number, delta: number): void {
    const lo = (word << 27) | delta | 0;
    const hi = (word >>> 5) | (this.#pageHi & 0xf8000000);
    const time = this.#sinceEpoch(lo, hi);
    this.time = time < this.time - TWO_59 / 2 ? time + TWO_59 : time;
  }
}
