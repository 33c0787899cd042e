import { PADDING, ZstdDamage } from './bits.ts';
import { HuffmanTable, decodeFourStreams, decodeStream } from './huffman.ts';

/** Largest content of a block (RFC 8878 3.1.1.2.4). */
export const MAX_BLOCK_BYTES = 128 * 1024;

/** The literals of a block, and the tree that the next block may use again. */
export class Literals {
  readonly bytes = new Uint8Array(MAX_BLOCK_BYTES + PADDING);
  readonly view = new DataView(this.bytes.buffer);
  count = 0;
  readonly #tree = new HuffmanTable();
  #hasTree = false;

  /** A new frame knows no tree. */
  reset(): void {
    this.#hasTree = false;
  }

  /** Reads the literals section (RFC 8878 3.1.1.3.1) from `[start, end)`; returns where the sequences begin. */
  read(block: Uint8Array, view: DataView, start: number, end: number): number {
    if (start >= end) throw new ZstdDamage('block without literals');
    const first = block[start]!;
    const type = first & 3;
    const format = (first >> 2) & 3;
    return type < 2
      ? this.#readPlain(block, start, end, type === 1, format)
      : this.#readCoded(block, view, start, end, type === 3, format);
  }

  #readPlain(block: Uint8Array, start: number, end: number, repeated: boolean, format: number): number {
    // One, two or three bytes of header hold 5, 12 or 20 bits of size.
    const header = format === 1 ? 2 : format === 3 ? 3 : 1;
    if (start + header > end) throw new ZstdDamage('literals are cut');
    const word = block[start]! | (block[start + 1]! << 8) | (block[start + 2]! << 16);
    const count = header === 1 ? (word & 0xff) >> 3 : header === 2 ? (word & 0xffff) >> 4 : word >> 4;
    this.#setCount(count);
    const from = start + header;
    const used = repeated ? 1 : count;
    if (from + used > end) throw new ZstdDamage('literals are cut');
    if (repeated) this.bytes.fill(block[from]!, 0, count);
    else this.bytes.set(block.subarray(from, from + count));
    return from + used;
  }

  #readCoded(block: Uint8Array, view: DataView, start: number, end: number, again: boolean, format: number): number {
    // 10, 14 or 18 bits each for the size of the literals and of their code.
    const header = format < 2 ? 3 : format + 2;
    if (start + header > end) throw new ZstdDamage('literals are cut');
    const low = view.getUint32(start, true);
    const width = header === 3 ? 10 : header === 4 ? 14 : 18;
    const mask = (1 << width) - 1;
    const count = (low >>> 4) & mask;
    const coded = header === 5 ? ((low >>> 22) | (block[start + 4]! << 10)) & mask : (low >>> (4 + width)) & mask;
    this.#setCount(count);
    let from = start + header;
    const stop = from + coded;
    if (stop > end) throw new ZstdDamage('literals are cut');
    const tree = this.#tree;
    if (!again) {
      // A tree that turns out to be damaged ends the frame.
      from = tree.read(block, view, from, stop);
      this.#hasTree = true;
    }
    if (!this.#hasTree) throw new ZstdDamage('Huffman tree of no earlier block');
    if (format === 0) decodeStream(tree, block, view, from, stop, this.bytes, 0, count);
    else decodeFourStreams(tree, block, view, from, stop, this.bytes, count);
    return stop;
  }

  #setCount(count: number): void {
    if (count > MAX_BLOCK_BYTES) throw new ZstdDamage('more literals than a block holds');
    this.count = count;
  }
}
