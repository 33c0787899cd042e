import { PADDING, ZstdDamage } from './bits.ts';
import { ContentChecksum } from './content-checksum.ts';
import { Literals, MAX_BLOCK_BYTES } from './literals.ts';
import { OutputWindow } from './output-window.ts';
import { Sequences } from './sequences.ts';

/**
 * Streaming Zstandard decompression (RFC 8878) for Nodes without their own. Made for input that nobody vouches for: memory is
 * bounded by what was really decompressed and by a window of 128 MiB, every length is checked, and damage keeps all blocks
 * before it.
 */

/** As much as the `zstd` command decompresses unless it is told to take more. */
const MAX_WINDOW_BYTES = 128 * 1024 * 1024;
const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
/** Frame headers have at most 18 bytes with the magic; skippable frames 8. */
const MAX_HEADER_BYTES = 18;
const BLOCK_HEADER_BYTES = 3;

const BLOCK = { raw: 0, repeat: 1, compressed: 2 } as const;

/** What the next bytes are. */
type Stage = 'magic' | 'header' | 'skip' | 'block-header' | 'block' | 'checksum';

export class ZstdDecoder {
  /** What broke the format, if anything did; the decoder reads nothing more then. */
  damage: string | undefined;
  readonly #literals = new Literals();
  readonly #out = new OutputWindow();
  /** Bytes of the unit that is being collected (header or block), with padding around. */
  readonly #unit = new Uint8Array(PADDING + MAX_BLOCK_BYTES + PADDING);
  readonly #view = new DataView(this.#unit.buffer);
  readonly #sequences = new Sequences(this.#view);
  #stage: Stage = 'magic';
  #have = 0;
  #need = 4;
  #skip = 0;
  readonly #sum = new ContentChecksum();
  #checksum = false;
  #lastBlock = false;
  #blockType: number = BLOCK.raw;
  #blockSize = 0;
  /** Bytes taken in, for messages. */
  #taken = 0;

  /** Yields the content of each block that the chunk completes; valid until the next one is asked for. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let at = 0;
    while (at < chunk.length && this.damage === undefined) {
      if (this.#stage === 'skip') {
        const step = Math.min(this.#skip, chunk.length - at);
        at += step;
        this.#taken += step;
        this.#skip -= step;
        if (this.#skip === 0) this.#expect('magic', 4);
        continue;
      }
      const step = Math.min(this.#need - this.#have, chunk.length - at);
      this.#unit.set(chunk.subarray(at, at + step), PADDING + this.#have);
      at += step;
      this.#taken += step;
      this.#have += step;
      if (this.#have < this.#need) return;
      let block: Uint8Array | undefined;
      try {
        block = this.#unitComplete();
      } catch (error) {
        if (!(error instanceof ZstdDamage)) throw error;
        this.damage = `${error.message}, at byte ${this.#taken}`;
        return;
      }
      if (block !== undefined && block.length > 0) yield block;
    }
  }

  /** No more chunks: an unfinished frame is damage. */
  end(): void {
    if (this.damage === undefined && (this.#stage !== 'magic' || this.#have > 0)) {
      this.damage = `unexpected end after ${this.#taken} bytes`;
    }
  }

  #expect(stage: Stage, bytes: number): void {
    this.#stage = stage;
    this.#need = bytes;
    this.#have = 0;
  }

  #unitComplete(): Uint8Array | undefined {
    switch (this.#stage) {
      case 'magic':
        this.#readMagic();
        return undefined;
      case 'header':
        this.#readHeader();
        return undefined;
      case 'block-header':
        return this.#readBlockHeader();
      case 'block':
        return this.#readBlock();
      case 'checksum':
        if (this.#view.getUint32(PADDING, true) !== this.#sum.digest())
          throw new ZstdDamage('content checksum is wrong');
        this.#expect('magic', 4);
        return undefined;
      case 'skip':
        return undefined;
    }
  }

  #readMagic(): void {
    const magic = this.#view.getUint32(PADDING, true);
    // The byte behind the magic tells how long the header is; a skippable frame has its size there.
    if (magic === MAGIC) {
      this.#stage = 'header';
      this.#need = 5;
    } else if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
      this.#stage = 'header';
      this.#need = 8;
    } else throw new ZstdDamage('no zstd frame where one should begin');
  }

  /** RFC 8878 3.1.1.1; called again once the whole header is there. */
  #readHeader(): void {
    const view = this.#view;
    if (view.getUint32(PADDING, true) !== MAGIC) {
      this.#skip = view.getUint32(PADDING + 4, true);
      if (this.#skip === 0) this.#expect('magic', 4);
      else this.#stage = 'skip';
      return;
    }
    const descriptor = view.getUint8(PADDING + 4);
    const single = (descriptor & 0x20) !== 0;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
    const sizeBytes = descriptor >> 6 === 0 ? Number(single) : 1 << (descriptor >> 6);
    const length = 5 + Number(!single) + dictionaryBytes + sizeBytes;
    if (this.#have < length && length <= MAX_HEADER_BYTES) {
      this.#need = length;
      return;
    }
    if ((descriptor & 8) !== 0) throw new ZstdDamage('reserved bit is set');
    let dictionary = 0;
    for (let i = 0; i < dictionaryBytes; i++) dictionary |= view.getUint8(PADDING + 5 + Number(!single) + i);
    if (dictionary !== 0) throw new ZstdDamage('it needs a dictionary');
    let window: number;
    if (single) window = this.#contentSize(PADDING + length - sizeBytes, sizeBytes);
    else {
      const byte = view.getUint8(PADDING + 5);
      const base = 2 ** (10 + (byte >> 3));
      window = base + (base / 8) * (byte & 7);
    }
    if (window > MAX_WINDOW_BYTES) {
      throw new ZstdDamage(
        `a window of ${Math.ceil(window / 2 ** 20)} MiB, and 128 is the limit (compressed with --long)`,
      );
    }
    this.#checksum = (descriptor & 4) !== 0;
    if (this.#checksum) this.#sum.reset();
    this.#literals.reset();
    this.#sequences.reset();
    this.#out.reset(window);
    this.#expect('block-header', BLOCK_HEADER_BYTES);
  }

  #contentSize(at: number, bytes: number): number {
    const view = this.#view;
    if (bytes === 1) return view.getUint8(at);
    if (bytes === 2) return view.getUint16(at, true) + 256;
    const low = view.getUint32(at, true);
    return bytes === 4 ? low : view.getUint32(at + 4, true) * 2 ** 32 + low;
  }

  #readBlockHeader(): Uint8Array | undefined {
    const header = this.#view.getUint32(PADDING, true) & 0xffffff;
    this.#lastBlock = (header & 1) !== 0;
    this.#blockType = (header >> 1) & 3;
    this.#blockSize = header >> 3;
    if (this.#blockType === 3) throw new ZstdDamage('reserved block type');
    if (this.#blockSize > MAX_BLOCK_BYTES) throw new ZstdDamage('block is too large');
    const content = this.#blockType === BLOCK.repeat ? 1 : this.#blockSize;
    this.#expect('block', content);
    return content === 0 ? this.#readBlock() : undefined;
  }

  #readBlock(): Uint8Array {
    const unit = this.#unit;
    const size = this.#blockSize;
    const out = this.#out;
    out.beginBlock();
    if (this.#blockType === BLOCK.raw) out.literals(unit, PADDING, PADDING + size);
    else if (this.#blockType === BLOCK.repeat) out.repeat(unit[PADDING]!, size);
    else {
      const end = PADDING + size;
      const sequences = this.#literals.read(unit, this.#view, PADDING, end);
      this.#sequences.run(unit, sequences, end, this.#literals, out);
    }
    if (!this.#lastBlock) this.#expect('block-header', BLOCK_HEADER_BYTES);
    else if (this.#checksum) this.#expect('checksum', 4);
    else this.#expect('magic', 4);
    const content = out.block();
    if (this.#checksum) this.#sum.update(content);
    return content;
  }
}
