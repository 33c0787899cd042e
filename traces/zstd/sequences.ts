import { ZstdDamage, bitsAt, streamStart } from './bits.ts';
import { FseTable, readTable } from './fse-table.ts';
import type { Literals } from './literals.ts';
import type { OutputWindow } from './output-window.ts';

/** Base values and extra bits of literal and match lengths by code (RFC 8878 3.1.1.3.2.1.1). */
const LONG_LITERAL_BITS = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LONG_MATCH_BITS = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
/** What states stand for: the base value, and from bit `EXTRA_SHIFT` on how many bits are added to it. */
const EXTRA_SHIFT = 20;
const BASE_MASK = (1 << EXTRA_SHIFT) - 1;
const LITERAL_VALUES = values([...new Array<number>(16).fill(0), ...LONG_LITERAL_BITS], 0);
const MATCH_VALUES = values([...new Array<number>(32).fill(0), ...LONG_MATCH_BITS], 3);
/** Of an offset only the code, which is its number of bits. Those of 2^28 are more than a window of 128 MiB allows. */
const OFFSET_VALUES = Int32Array.from({ length: 32 }, (_, code) => code);
const MAX_OFFSET_CODE = 28;
/** Bits that one load gives for certain. */
const LOAD_BITS = 25;
/** Copies longer than this are left to the runtime's own copy, which takes as long as some 60 words to be called. */
const LONG_COPY = 256;

function values(bits: readonly number[], first: number): Int32Array {
  const result = new Int32Array(bits.length);
  let base = first;
  bits.forEach((extra, i) => {
    result[i] = (extra << EXTRA_SHIFT) | base;
    base += 1 << extra;
  });
  return result;
}

/** One of the three tables: its predefined state (RFC 8878 3.1.1.3.2.2), what a block brought, and which of them is used. */
class TableSlot {
  readonly #maxAccuracy: number;
  readonly #values: Int32Array;
  readonly #predefined: FseTable;
  readonly #own: FseTable;
  /** Undefined where no block of the frame has named one yet. */
  #used: FseTable | undefined;

  constructor(maxAccuracy: number, slotValues: Int32Array, accuracy: number, predefined: readonly number[]) {
    this.#maxAccuracy = maxAccuracy;
    this.#values = slotValues;
    this.#predefined = new FseTable(accuracy);
    this.#predefined.build(accuracy, predefined, predefined.length, slotValues);
    this.#own = new FseTable(maxAccuracy);
  }

  reset(): void {
    this.#used = undefined;
  }

  get table(): FseTable {
    const used = this.#used;
    if (used === undefined) throw new ZstdDamage('entropy table of no earlier block');
    return used;
  }

  /** Chooses the table of a block by its mode; returns where its description ends. */
  choose(mode: number, block: Uint8Array, at: number, end: number): number {
    switch (mode) {
      case 0:
        this.#used = this.#predefined;
        return at;
      case 1: {
        const symbol = at < end ? block[at]! : 256;
        if (symbol >= this.#values.length) throw new ZstdDamage('sequence code is out of range');
        this.#own.setConstant(this.#values[symbol]!);
        this.#used = this.#own;
        return at + 1;
      }
      case 2:
        this.#used = this.#own;
        return readTable(this.#own, block, at, end, this.#maxAccuracy, this.#values);
      default:
        return at;
    }
  }
}

const LITERAL_LENGTHS = [
  4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
];
const OFFSETS = [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];
const MATCH_LENGTHS = [
  1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];

/** Carries out the sequences of blocks: copies of literals and of earlier output. */
export class Sequences {
  /** Of the bytes that blocks are read from. */
  readonly #view: DataView;
  readonly #literalLengths = new TableSlot(9, LITERAL_VALUES, 6, LITERAL_LENGTHS);
  readonly #offsets = new TableSlot(8, OFFSET_VALUES, 5, OFFSETS);
  readonly #matchLengths = new TableSlot(9, MATCH_VALUES, 6, MATCH_LENGTHS);
  /** The three newest offsets (RFC 8878 3.1.1.5). */
  #recent0 = 1;
  #recent1 = 4;
  #recent2 = 8;

  constructor(view: DataView) {
    this.#view = view;
  }

  reset(): void {
    this.#literalLengths.reset();
    this.#offsets.reset();
    this.#matchLengths.reset();
    this.#recent0 = 1;
    this.#recent1 = 4;
    this.#recent2 = 8;
  }

  /** Reads the sequences section (RFC 8878 3.1.1.3.2) from `[start, end)` and writes the block's content. */
  run(block: Uint8Array, start: number, end: number, literals: Literals, out: OutputWindow): void {
    let count = start < end ? block[start]! : 0;
    let at = start + 1;
    if (count >= 128) {
      if (start + 3 > end) throw new ZstdDamage('sequences are cut');
      if (count === 255) {
        count = (block[start + 1]! | (block[start + 2]! << 8)) + 0x7f00;
        at = start + 3;
      } else {
        count = ((count - 128) << 8) | block[start + 1]!;
        at = start + 2;
      }
    }
    let used = 0;
    if (count > 0) {
      if (at >= end) throw new ZstdDamage('sequences are cut');
      const modes = block[at++]!;
      if ((modes & 3) !== 0) throw new ZstdDamage('reserved bits are set');
      at = this.#literalLengths.choose(modes >> 6, block, at, end);
      at = this.#offsets.choose((modes >> 4) & 3, block, at, end);
      at = this.#matchLengths.choose((modes >> 2) & 3, block, at, end);
      used = this.#execute(block, at, end, count, literals, out);
    }
    out.literals(literals.bytes, used, literals.count);
  }

  /** Returns how many literals the sequences used. */
  #execute(
    block: Uint8Array,
    start: number,
    end: number,
    count: number,
    literals: Literals,
    out: OutputWindow,
  ): number {
    const input = this.#view;
    const { accuracy: literalAccuracy, cells: literalCells } = this.#literalLengths.table;
    const { accuracy: offsetAccuracy, cells: offsetCells } = this.#offsets.table;
    const { accuracy: matchAccuracy, cells: matchCells } = this.#matchLengths.table;
    const { bytes, view, window, limit } = out;
    const { view: literalView, count: literalCount } = literals;
    const floor = start * 8;
    // Whether bits below the floor were read is looked at once per sequence; so long the padding's stand for them.
    let bit = streamStart(block, start, end) - literalAccuracy;
    let literalState = 2 * bitsAt(input, bit, literalAccuracy);
    bit -= offsetAccuracy;
    let offsetState = 2 * bitsAt(input, bit, offsetAccuracy);
    bit -= matchAccuracy;
    let matchState = 2 * bitsAt(input, bit, matchAccuracy);
    let recent0 = this.#recent0;
    let recent1 = this.#recent1;
    let recent2 = this.#recent2;
    let to = out.length;
    let used = 0;
    for (let left = count; ; ) {
      const code = offsetCells[offsetState + 1]!;
      if (code > MAX_OFFSET_CODE) throw new ZstdDamage('match reaches back too far');
      const matchValue = matchCells[matchState + 1]!;
      const literalValue = literalCells[literalState + 1]!;
      let match = matchValue & BASE_MASK;
      let length = literalValue & BASE_MASK;
      const matchBits = matchValue >>> EXTRA_SHIFT;
      const literalBits = literalValue >>> EXTRA_SHIFT;
      const extra = matchBits + literalBits;
      // The order in the stream, from the top, is offset, match length, literal length. Most fit into one load.
      let value = 1 << code;
      if (code + extra <= LOAD_BITS) {
        bit -= code + extra;
        const word = input.getInt32(bit >> 3, true) >>> (bit & 7);
        length += word & ((1 << literalBits) - 1);
        match += (word >>> literalBits) & ((1 << matchBits) - 1);
        value += (word >>> extra) & (value - 1);
      } else {
        const high = code >> 1;
        bit -= high;
        value += bitsAt(input, bit, high) << (code - high);
        bit -= code - high;
        value += bitsAt(input, bit, code - high);
        bit -= matchBits;
        match += bitsAt(input, bit, matchBits);
        bit -= literalBits;
        length += bitsAt(input, bit, literalBits);
      }
      // Values up to 3 name one of the newest offsets; which one shifts if no literals come before.
      let offset: number;
      if (value > 3) {
        offset = value - 3;
        recent2 = recent1;
        recent1 = recent0;
        recent0 = offset;
      } else {
        const which = length === 0 ? value + 1 : value;
        if (which === 1) offset = recent0;
        else {
          offset = which === 2 ? recent1 : which === 3 ? recent2 : recent0 - 1;
          if (which !== 2) recent2 = recent1;
          recent1 = recent0;
          recent0 = offset;
        }
      }
      const from = used;
      used += length;
      if (used > literalCount) throw new ZstdDamage('more literals used than sent');
      const middle = to + length;
      const after = middle + match;
      if (after > limit) throw new ZstdDamage('block is too large');
      if (offset === 0) throw new ZstdDamage('match of offset 0');
      if (offset > middle || offset > window) throw new ZstdDamage('match reaches back too far');
      // Nearly all runs of literals have up to 4 bytes, and half of all matches up to 16: copied without asking how many.
      view.setInt32(to, literalView.getInt32(from, true), true);
      if (length > LONG_COPY) bytes.set(literals.bytes.subarray(from, used), to);
      else for (let i = 4; i < length; i += 4) view.setInt32(to + i, literalView.getInt32(from + i, true), true);
      const source = middle - offset;
      if (offset < 4) repeatShort(bytes, view, middle, offset, match);
      else if (match > LONG_COPY && offset >= match) bytes.copyWithin(middle, source, source + match);
      else {
        view.setInt32(middle, view.getInt32(source, true), true);
        view.setInt32(middle + 4, view.getInt32(source + 4, true), true);
        view.setInt32(middle + 8, view.getInt32(source + 8, true), true);
        view.setInt32(middle + 12, view.getInt32(source + 12, true), true);
        for (let i = 16; i < match; i += 4) view.setInt32(middle + i, view.getInt32(source + i, true), true);
      }
      to = after;
      if (--left === 0) break;
      const literalCell = literalCells[literalState]!;
      const matchCell = matchCells[matchState]!;
      const offsetCell = offsetCells[offsetState]!;
      const literalMore = literalCell >>> 16;
      const matchMore = matchCell >>> 16;
      const offsetMore = offsetCell >>> 16;
      const more = literalMore + matchMore + offsetMore;
      // Together they may have 26 bits, one more than a load gives: then the last are loaded again.
      bit -= more;
      const word = input.getInt32(bit >> 3, true) >>> (bit & 7);
      offsetState = 2 * ((offsetCell & 0xffff) + (word & ((1 << offsetMore) - 1)));
      matchState = 2 * ((matchCell & 0xffff) + ((word >>> offsetMore) & ((1 << matchMore) - 1)));
      const top =
        more <= LOAD_BITS
          ? word >>> (offsetMore + matchMore)
          : bitsAt(input, bit + offsetMore + matchMore, literalMore);
      literalState = 2 * ((literalCell & 0xffff) + (top & ((1 << literalMore) - 1)));
      if (bit < floor) throw new ZstdDamage('bit stream is too short');
    }
    if (bit !== floor) throw new ZstdDamage('sequences have the wrong length');
    out.length = to;
    this.#recent0 = recent0;
    this.#recent1 = recent1;
    this.#recent2 = recent2;
    return used;
  }
}

/** A match that repeats its last 1, 2 or 3 bytes: by words as soon as a multiple of the period is 4 or more. */
function repeatShort(bytes: Uint8Array, view: DataView, to: number, offset: number, count: number): void {
  const first = Math.min(count, 8);
  for (let i = 0; i < first; i++) bytes[to + i] = bytes[to + i - offset]!;
  const back = offset === 3 ? 6 : 4;
  for (let i = first; i < count; i += 4) view.setInt32(to + i, view.getInt32(to + i - back, true), true);
}
