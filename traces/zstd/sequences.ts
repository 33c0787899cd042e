import { BackwardBits, ZstdDamage } from './bits.ts';
import { buildTable, constantTable, readTable } from './fse-table.ts';
import type { FseTable } from './fse-table.ts';
import type { Literals } from './literals.ts';
import type { OutputWindow } from './output-window.ts';

/** Base values and extra bits of literal and match lengths by code (RFC 8878 3.1.1.3.2.1.1). */
const LONG_LITERAL_BITS = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LONG_MATCH_BITS = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LITERAL_BITS = Uint8Array.of(...new Array<number>(16).fill(0), ...LONG_LITERAL_BITS);
const MATCH_BITS = Uint8Array.of(...new Array<number>(32).fill(0), ...LONG_MATCH_BITS);
const LITERAL_BASE = bases(LITERAL_BITS, 0);
const MATCH_BASE = bases(MATCH_BITS, 3);
/** Offsets of 2^27 are the largest that a window of 128 MiB allows. */
const MAX_OFFSET_CODE = 28;

function bases(bits: Uint8Array, first: number): Int32Array {
  const result = new Int32Array(bits.length);
  let base = first;
  for (let i = 0; i < bits.length; i++) {
    result[i] = base;
    base += 1 << bits[i]!;
  }
  return result;
}

interface Kind {
  readonly maxSymbol: number;
  readonly maxAccuracy: number;
  /** Table of the predefined mode (RFC 8878 3.1.1.3.2.2). */
  readonly predefined: FseTable;
}

const LITERAL_LENGTHS: Kind = {
  maxSymbol: 35,
  maxAccuracy: 9,
  predefined: buildTable(
    6,
    [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1],
  ),
};
const OFFSETS: Kind = {
  maxSymbol: 31,
  maxAccuracy: 8,
  predefined: buildTable(
    5,
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
  ),
};
const MATCH_LENGTHS: Kind = {
  maxSymbol: 52,
  maxAccuracy: 9,
  predefined: buildTable(
    6,
    [
      1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
  ),
};

/** Carries out the sequences of blocks: copies of literals and of earlier output. */
export class Sequences {
  readonly #bits: BackwardBits;
  #literalTable: FseTable | undefined;
  #offsetTable: FseTable | undefined;
  #matchTable: FseTable | undefined;
  /** The three newest offsets (RFC 8878 3.1.1.5). */
  #recent0 = 1;
  #recent1 = 4;
  #recent2 = 8;
  #at = 0;

  constructor(view: DataView) {
    this.#bits = new BackwardBits(view);
  }

  reset(): void {
    this.#literalTable = undefined;
    this.#offsetTable = undefined;
    this.#matchTable = undefined;
    this.#recent0 = 1;
    this.#recent1 = 4;
    this.#recent2 = 8;
  }

  /** Reads the sequences section (RFC 8878 3.1.1.3.2) from `[start, end)` and writes the block's content. */
  run(block: Uint8Array, start: number, end: number, literals: Literals, out: OutputWindow): void {
    let count = start < end ? block[start]! : 0;
    this.#at = start + 1;
    if (count >= 128) {
      if (start + 3 > end) throw new ZstdDamage('sequences are cut');
      if (count === 255) {
        count = (block[start + 1]! | (block[start + 2]! << 8)) + 0x7f00;
        this.#at = start + 3;
      } else {
        count = ((count - 128) << 8) | block[start + 1]!;
        this.#at = start + 2;
      }
    }
    if (count > 0) {
      if (this.#at >= end) throw new ZstdDamage('sequences are cut');
      const modes = block[this.#at++]!;
      if ((modes & 3) !== 0) throw new ZstdDamage('reserved bits are set');
      const literalTable = this.#table(block, end, modes >> 6, LITERAL_LENGTHS, this.#literalTable);
      const offsetTable = this.#table(block, end, (modes >> 4) & 3, OFFSETS, this.#offsetTable);
      const matchTable = this.#table(block, end, (modes >> 2) & 3, MATCH_LENGTHS, this.#matchTable);
      this.#literalTable = literalTable;
      this.#offsetTable = offsetTable;
      this.#matchTable = matchTable;
      const used = this.#execute(end, count, literalTable, offsetTable, matchTable, literals, out);
      out.literals(literals.bytes, used, literals.count);
    } else out.literals(literals.bytes, 0, literals.count);
  }

  #table(block: Uint8Array, end: number, mode: number, kind: Kind, before: FseTable | undefined): FseTable {
    switch (mode) {
      case 0:
        return kind.predefined;
      case 1: {
        const symbol = this.#at < end ? block[this.#at++]! : 256;
        if (symbol > kind.maxSymbol) throw new ZstdDamage('sequence code is out of range');
        return constantTable(symbol);
      }
      case 2: {
        const { table, end: after } = readTable(block, this.#at, end, kind.maxAccuracy, kind.maxSymbol);
        this.#at = after;
        return table;
      }
      default:
        if (before === undefined) throw new ZstdDamage('entropy table of no earlier block');
        return before;
    }
  }

  /** Returns how many literals the sequences used. */
  #execute(
    end: number,
    count: number,
    literalTable: FseTable,
    offsetTable: FseTable,
    matchTable: FseTable,
    literals: Literals,
    out: OutputWindow,
  ): number {
    const bits = this.#bits;
    bits.begin(this.#at, end);
    let literalState = bits.read(literalTable.accuracy);
    let offsetState = bits.read(offsetTable.accuracy);
    let matchState = bits.read(matchTable.accuracy);
    let used = 0;
    for (let left = count; ; ) {
      const offsetCode = offsetTable.symbol[offsetState]!;
      if (offsetCode > MAX_OFFSET_CODE) throw new ZstdDamage('match reaches back too far');
      // The order in the stream is offset, match length, literal length.
      let value = 1 << offsetCode;
      if (offsetCode > 16) value += bits.read(offsetCode - 16) * 65536 + bits.read(16);
      else value += bits.read(offsetCode);
      const matchCode = matchTable.symbol[matchState]!;
      const literalCode = literalTable.symbol[literalState]!;
      let match = MATCH_BASE[matchCode]!;
      let length = LITERAL_BASE[literalCode]!;
      const matchBits = MATCH_BITS[matchCode]!;
      const literalBits = LITERAL_BITS[literalCode]!;
      // Short lengths, which most are, need no more bits.
      if (matchBits > 0) match += bits.read(matchBits);
      if (literalBits > 0) length += bits.read(literalBits);
      if (used + length > literals.count) throw new ZstdDamage('more literals used than sent');
      out.literals(literals.bytes, used, used + length);
      used += length;
      out.match(this.#offset(value, length), match);
      if (--left === 0) break;
      // The three states' bits in two reads: together they may have 26, one more than a read gives.
      const literalMore = literalTable.bits[literalState]!;
      const matchMore = matchTable.bits[matchState]!;
      const both = bits.read(literalMore + matchMore);
      literalState = literalTable.base[literalState]! + (both >>> matchMore);
      matchState = matchTable.base[matchState]! + (both & ((1 << matchMore) - 1));
      offsetState = offsetTable.base[offsetState]! + bits.read(offsetTable.bits[offsetState]!);
    }
    if (!bits.finished) throw new ZstdDamage('sequences have the wrong length');
    return used;
  }

  /** Values up to 3 name one of the newest offsets; which one shifts if no literals come before. */
  #offset(value: number, literals: number): number {
    let offset: number;
    if (value > 3) {
      offset = value - 3;
      this.#recent2 = this.#recent1;
      this.#recent1 = this.#recent0;
    } else {
      const which = literals === 0 ? value + 1 : value;
      if (which === 1) return this.#recent0;
      offset = which === 2 ? this.#recent1 : which === 3 ? this.#recent2 : this.#recent0 - 1;
      if (which !== 2) this.#recent2 = this.#recent1;
      this.#recent1 = this.#recent0;
      if (offset === 0) throw new ZstdDamage('match of offset 0');
    }
    this.#recent0 = offset;
    return offset;
  }
}
