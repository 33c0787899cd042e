import { ZstdDamage } from './bits.ts';
import { MAX_BLOCK_BYTES } from './literals.ts';

/** Copies longer than this are left to the runtime's own copy; shorter ones are faster byte by byte. */
const LONG_COPY = 48;
const FIRST_CAPACITY = 1024 * 1024;
/** The buffer is at most so much longer than the window: what is moved when it is full is moved once per this many bytes. */
const MAX_SLACK = 16 * 1024 * 1024;

/** What was decompressed, kept as far back as matches may reach. Grows with the output, not with what a header announces. */
export class OutputWindow {
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #window = 0;
  /** Bytes in the buffer; the newest block begins at `#blockStart`. */
  #length = 0;
  #blockStart = 0;

  /** A new frame: earlier output can't be reached. */
  reset(window: number): void {
    this.#window = window;
    this.#length = 0;
    this.#blockStart = 0;
  }

  /** Makes room for a block. What an earlier `block()` returned is no longer valid. */
  beginBlock(): void {
    if (this.#length + MAX_BLOCK_BYTES > this.#bytes.length) this.#makeRoom();
    this.#blockStart = this.#length;
  }

  /** The block's content; valid until the next `beginBlock` or `reset`. */
  block(): Uint8Array {
    return this.#bytes.subarray(this.#blockStart, this.#length);
  }

  literals(from: Uint8Array, start: number, end: number): void {
    const bytes = this.#bytes;
    let to = this.#length;
    const after = to + end - start;
    if (after > this.#blockStart + MAX_BLOCK_BYTES) throw new ZstdDamage('block is too large');
    if (end - start > LONG_COPY) bytes.set(from.subarray(start, end), to);
    else for (let i = start; i < end; i++) bytes[to++] = from[i]!;
    this.#length = after;
  }

  repeat(value: number, count: number): void {
    if (count > MAX_BLOCK_BYTES) throw new ZstdDamage('block is too large');
    this.#bytes.fill(value, this.#length, this.#length + count);
    this.#length += count;
  }

  match(offset: number, count: number): void {
    const bytes = this.#bytes;
    const to = this.#length;
    const after = to + count;
    if (offset > to || offset > this.#window) throw new ZstdDamage('match reaches back too far');
    if (after > this.#blockStart + MAX_BLOCK_BYTES) throw new ZstdDamage('block is too large');
    const from = to - offset;
    if (count > LONG_COPY && offset >= count) bytes.copyWithin(to, from, from + count);
    else for (let i = 0; i < count; i++) bytes[to + i] = bytes[from + i]!;
    this.#length = after;
  }

  #makeRoom(): void {
    const keep = Math.min(this.#window, this.#length);
    const most = this.#window + Math.min(MAX_SLACK, Math.max(this.#window, FIRST_CAPACITY)) + MAX_BLOCK_BYTES;
    if (this.#bytes.length < most && keep * 2 > this.#bytes.length) {
      const bytes = new Uint8Array(Math.min(most, this.#bytes.length * 2));
      bytes.set(this.#bytes.subarray(this.#length - keep, this.#length));
      this.#bytes = bytes;
    } else this.#bytes.copyWithin(0, this.#length - keep, this.#length);
    this.#length = keep;
  }
}
