/** Writes sub-buffers as the kernel's ring buffer does: inputs of tests and benchmarks. */

export interface WrittenEvent {
  /** Of the buffer's clock. */
  readonly time: bigint;
  readonly record: Uint8Array;
  /** Events that were lost before it: a new sub-buffer begins, and says so. */
  readonly missed?: bigint | 'unknown';
  /** Writes the time as an absolute one instead of a difference. */
  readonly absolute?: boolean;
  /** Writes this many bytes of an event that was taken back before it. */
  readonly discarded?: number;
}

export interface WriterLayout {
  readonly littleEndian: boolean;
  /** Of a sub-buffer. */
  readonly bytes?: number;
  /** Of the commit word. */
  readonly commitBytes?: 4 | 8;
}

const MISSED = 0x8000_0000;
const STORED = 0x4000_0000;
const MAX_DELTA = 1n << 27n;

export class SubBufferWriter {
  readonly #little: boolean;
  readonly #size: number;
  readonly #commitBytes: 4 | 8;

  constructor({ littleEndian, bytes = 4096, commitBytes = 8 }: WriterLayout) {
    this.#little = littleEndian;
    this.#size = bytes;
    this.#commitBytes = commitBytes;
  }

  /** Whole sub-buffers; records are padded to a multiple of 4 bytes. */
  write(events: readonly WrittenEvent[]): Uint8Array {
    const pages: Uint8Array[] = [];
    for (let at = 0; at < events.length; ) {
      const { page, used } = this.#page(events, at);
      pages.push(page);
      at += used;
    }
    return Buffer.concat(pages);
  }

  #page(events: readonly WrittenEvent[], from: number): { page: Uint8Array; used: number } {
    const page = new Uint8Array(this.#size);
    const view = new DataView(page.buffer);
    const little = this.#little;
    const head = 8 + this.#commitBytes;
    const first = events[from]!;
    // What is taken back at the beginning takes a unit of time too.
    let clock = first.discarded === undefined ? first.time : first.time - 1n;
    view.setBigUint64(0, clock, little);
    let pos = head;
    let used = 0;
    const { missed } = first;
    const room = this.#size - (missed === undefined ? 0 : this.#commitBytes);
    for (let i = from; i < events.length; i++) {
      const event = events[i]!;
      if (used > 0 && event.missed !== undefined) break;
      const bytes = this.#encode(event, clock);
      if (pos + bytes.length > room) break;
      page.set(bytes, pos);
      pos += bytes.length;
      clock = event.time;
      used++;
    }
    if (used === 0) throw new RangeError('a record is larger than a sub-buffer');
    // What follows the data is a padding event without a length.
    if (pos + 4 <= this.#size) view.setUint32(pos, this.#head(29, 0), little);
    let word = pos - head;
    if (missed !== undefined) word += MISSED;
    if (typeof missed === 'bigint') {
      word += STORED;
      if (this.#commitBytes === 8) view.setBigUint64(pos, missed, little);
      else view.setUint32(pos, Number(missed), little);
    }
    if (this.#commitBytes === 8) view.setBigUint64(8, BigInt(word), little);
    else view.setUint32(8, word, little);
    return { page, used };
  }

  #encode({ time, record, absolute, discarded }: WrittenEvent, clock: bigint): Uint8Array {
    const words: number[] = [];
    if (discarded !== undefined) {
      words.push(this.#head(29, 1), discarded, ...Array.from({ length: discarded / 4 - 1 }, () => 0));
    }
    let delta = time - clock - (discarded === undefined ? 0n : 1n);
    if (absolute === true) {
      words.push(this.#head(31, Number(time % MAX_DELTA)), Number((time / MAX_DELTA) & 0xffff_ffffn));
      delta = 0n;
    } else if (delta >= MAX_DELTA) {
      words.push(this.#head(30, Number(delta % MAX_DELTA)), Number(delta / MAX_DELTA));
      delta = 0n;
    }
    const length = Math.ceil(record.length / 4) * 4;
    if (length <= 112 && length > 0) words.push(this.#head(length / 4, Number(delta)));
    else words.push(this.#head(0, Number(delta)), length + 4);
    const bytes = new Uint8Array(words.length * 4 + length);
    const view = new DataView(bytes.buffer);
    words.forEach((word, i) => view.setUint32(i * 4, word, this.#little));
    bytes.set(record, words.length * 4);
    return bytes;
  }

  #head(type: number, delta: number): number {
    return this.#little ? ((delta << 5) | type) >>> 0 : ((type << 27) | delta) >>> 0;
  }
}
