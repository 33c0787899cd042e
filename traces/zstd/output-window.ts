import { ZstdDamage } from './bits.ts';
import { MAX_BLOCK_BYTES } from './literals.ts';

const FIRST_CAPACITY = 1024 * 1024;
/** The buffer is at most so much longer than the window: what is moved when it is full is moved once per this many bytes. */
const MAX_SLACK = 16 * 1024 * 1024;
/** Copies go by words of 4 bytes and may write so much behind what they copy. */
const OVERRUN = 16;

/** What was decompressed, kept as far back as matches may reach. Grows with the output, not with what a header announces. */
export class OutputWindow {
  bytes = new Uint8Array(FIRST_CAPACITY);
  view = new DataView(this.bytes.buffer);
  /** Bytes in the buffer. Who writes to `bytes` itself moves it on, no further than `limit`. */
  length = 0;
  /** Where the newest block ends at most. */
  limit = 0;
  /** A match may begin at most so many bytes back. */
  window = 0;
  #blockStart = 0;

  /** A new frame: earlier output can't be reached. */
  reset(window: number): void {
    this.window = window;
    this.length = 0;
    this.#blockStart = 0;
  }

  /** Makes room for a block. What an earlier `block()` returned is no longer valid. */
  beginBlock(): void {
    if (this.length + MAX_BLOCK_BYTES + OVERRUN > this.bytes.length) this.#makeRoom();
    this.#blockStart = this.length;
    this.limit = this.length + MAX_BLOCK_BYTES;
  }

  /** The block's content; valid until the next `beginBlock` or `reset`. */
  block(): Uint8Array {
    return this.bytes.subarray(this.#blockStart, this.length);
  }

  literals(from: Uint8Array, start: number, end: number): void {
    const after = this.length + end - start;
    if (after > this.limit) throw new ZstdDamage('block is too large');
    this.bytes.set(from.subarray(start, end), this.length);
    this.length = after;
  }

  repeat(value: number, count: number): void {
    if (count > MAX_BLOCK_BYTES) throw new ZstdDamage('block is too large');
    this.bytes.fill(value, this.length, this.length + count);
    this.length += count;
  }

  #makeRoom(): void {
    const keep = Math.min(this.window, this.length);
    const most = this.window + Math.min(MAX_SLACK, Math.max(this.window, FIRST_CAPACITY)) + MAX_BLOCK_BYTES;
    if (this.bytes.length < most && keep * 2 > this.bytes.length) {
      const bytes = new Uint8Array(Math.min(most, this.bytes.length * 2) + OVERRUN);
      bytes.set(this.bytes.subarray(this.length - keep, this.length));
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer);
    } else this.bytes.copyWithin(0, this.length - keep, this.length);
    this.length = keep;
  }
}
