/** Longest line that is parsed. What is longer is counted once and skipped without being held. */
export const MAX_LINE_BYTES = 1024 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Takes lines as ranges of a buffer that is only valid during the call. */
export interface LineReader {
  /** A whole line without its `\n` or `\r\n`. `number` counts from 1. */
  line(bytes: Uint8Array, start: number, end: number, number: number): void;
  /** A line longer than `MAX_LINE_BYTES`; `bytes` is its full length. */
  tooLong(number: number, bytes: number): void;
  /** What follows the last newline, if anything: a line that was perhaps cut. */
  unterminated(bytes: Uint8Array, start: number, end: number, number: number): void;
}

/** Splits chunks of any size into lines. Holds at most one line of `MAX_LINE_BYTES`. */
export class LineSplitter {
  readonly #reader: LineReader;
  /** Head of a line whose end has not come yet. */
  #held = new Uint8Array(4096);
  #heldLength = 0;
  /** Length so far of a line that is being skipped; 0 if none is. */
  #skipped = 0;
  #number = 0;

  constructor(reader: LineReader) {
    this.#reader = reader;
  }

  /** Lines seen so far. */
  get count(): number {
    return this.#number;
  }

  push(given: Uint8Array): void {
    // Readers see one kind of array only, whatever was given: code for two is slower. A `Buffer` searches four times as fast.
    const { buffer, byteOffset, length } = given;
    const chunk = new Uint8Array(buffer, byteOffset, length);
    const searched = Buffer.from(buffer, byteOffset, length);
    let start = 0;
    while (start < length) {
      const newline = searched.indexOf(NEWLINE, start);
      if (newline < 0) {
        this.#hold(chunk, start, length);
        return;
      }
      if (this.#skipped > 0) this.#endSkipped(newline - start);
      else if (this.#heldLength > 0) {
        this.#hold(chunk, start, newline);
        if (this.#skipped > 0) this.#endSkipped(0);
        else this.#flush();
      } else this.#deliver(chunk, start, newline);
      start = newline + 1;
    }
  }

  end(): void {
    if (this.#skipped > 0) this.#endSkipped(0);
    if (this.#heldLength > 0) {
      const length = this.#heldLength;
      this.#heldLength = 0;
      this.#reader.unterminated(this.#held, 0, length, ++this.#number);
    }
  }

  #deliver(bytes: Uint8Array, start: number, newline: number): void {
    const number = ++this.#number;
    if (newline - start > MAX_LINE_BYTES) {
      this.#reader.tooLong(number, newline - start);
      return;
    }
    const end = newline > start && bytes[newline - 1] === RETURN ? newline - 1 : newline;
    this.#reader.line(bytes, start, end, number);
  }

  #hold(chunk: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#skipped > 0) {
      this.#skipped += length;
      return;
    }
    const total = this.#heldLength + length;
    if (total > MAX_LINE_BYTES) {
      this.#skipped = total;
      this.#heldLength = 0;
      return;
    }
    if (total > this.#held.length) {
      const held = new Uint8Array(Math.min(MAX_LINE_BYTES, Math.max(total, this.#held.length * 2)));
      held.set(this.#held.subarray(0, this.#heldLength));
      this.#held = held;
    }
    this.#held.set(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end), this.#heldLength);
    this.#heldLength = total;
  }

  #flush(): void {
    const length = this.#heldLength;
    this.#heldLength = 0;
    this.#deliver(this.#held, 0, length);
  }

  #endSkipped(more: number): void {
    const length = this.#skipped + more;
    this.#skipped = 0;
    this.#reader.tooLong(++this.#number, length);
  }
}
