import type { ByteSource } from '../../../traces/format/bytes-io.ts';

/** Bytes of a stream that grows at its end; what was read is given back. */
export class GrowingSource implements ByteSource {
  readonly name: string;
  #bytes = new Uint8Array(64 * 1024);
  /** Offset of the first byte that is kept. */
  #from = 0;
  size = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Bytes that are held. */
  get held(): number {
    return this.size - this.#from;
  }

  add(chunk: Uint8Array): void {
    const end = this.held + chunk.length;
    if (end > this.#bytes.length) {
      const more = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      more.set(this.#bytes.subarray(0, this.held));
      this.#bytes = more;
    }
    this.#bytes.set(chunk, this.held);
    this.size += chunk.length;
  }

  read(offset: number, length: number): Uint8Array {
    const start = offset - this.#from;
    if (start < 0) return new Uint8Array(0);
    // A copy: what is held moves.
    return this.#bytes.slice(start, Math.min(start + length, this.held));
  }

  /** What lies before `offset` is not asked for again. */
  drop(offset: number): void {
    const gone = Math.min(offset, this.size) - this.#from;
    if (gone <= 0) return;
    this.#bytes.copyWithin(0, gone, this.held);
    this.#from += gone;
  }
}
