import { indexOf } from './page-bits.ts';
import type { PageTableFormat } from './page-table-format.ts';
import { FRAME_SHIFT, FRAME_WORDS } from './table-pool.ts';
import type { TablePool } from './table-pool.ts';

const TWO_32 = 2 ** 32;

/**
 * A tree of tables of one format, for reading. Pages are page numbers of the format's `pageShift`, up to 2^53, exact in a
 * double; a hot caller passes them as two int32 words to `translate`.
 */
export class TableReader {
  readonly pool: TablePool;
  readonly format: PageTableFormat;
  /** First frame of the root table. */
  root: number;
  /** Tables from root to leaf, now. */
  levels: number;
  /**
   * What the newest `translate` found: output page as two int32 words, address bits of the leaf, low bits of its entry
   * (those below the address) and the entry's high word.
   */
  outLo = 0;
  outHi = 0;
  leafShift = 0;
  leafBits = 0;
  leafHigh = 0;
  protected readonly presentMask: number;
  readonly #tableMask: number;
  readonly #tableKind: number;
  readonly #tableStep: number;
  readonly #kindMask: number;
  readonly #kindAdd: number;
  readonly #leafMask: number;
  readonly #leafKind: number;
  /** Levels up to this have their index in the low word of a page number. */
  readonly #lowLevel: number;
  protected readonly indexBits: number;
  protected readonly indexMask: number;
  readonly #pageShift: number;
  readonly #addressShift: number;
  readonly #addressHigh: number;
  protected readonly pointerShift: number;
  readonly #basePage: number;
  readonly #lowMask: number;
  protected readonly granule: number;
  /** Every leaf is one entry with its address in the usual place. */
  readonly #plain: boolean;
  protected rootShift = 0;
  protected rootMask = 0;
  /** Bits of a page number above the input address: all zero or, sign-extended, all equal. */
  #aboveLo = 0;
  #aboveHi = 0;
  /** Pages that the root reaches, and pages of a positive address. */
  protected reach = 0;
  protected readonly half: number;
  protected readonly outputs: number;

  /** `existing`: tables that are in the pool's memory already, made elsewhere; nothing is allocated then. */
  constructor(pool: TablePool, format: PageTableFormat, existing?: { readonly root: number; readonly levels: number }) {
    const { geometry } = format;
    this.pool = pool;
    this.format = format;
    this.presentMask = format.presentMask;
    this.#tableMask = format.tableMask;
    this.#tableKind = format.tableKind;
    this.#tableStep = format.tableStep;
    this.#kindMask = format.kindMask;
    this.#kindAdd = format.kindAdd;
    this.#leafMask = format.leafMask;
    this.#leafKind = format.leafKind;
    this.#lowLevel = geometry.shifts.findLastIndex((shift) => shift + format.indexBits <= 32);
    this.indexBits = format.indexBits;
    this.indexMask = (1 << format.indexBits) - 1;
    this.#pageShift = format.pageShift;
    this.#addressShift = format.addressShift;
    this.#addressHigh = format.addressHigh;
    this.pointerShift = format.addressShift + 12 - format.pageShift;
    this.#basePage = pool.basePage;
    this.#lowMask = ~(-1 << format.addressShift);
    this.granule = geometry.spans[0]! | 0;
    this.#plain = format.group === undefined && !format.addressNibble && geometry.sizes.every((s) => s.pageBits < 32);
    this.half = 2 ** (format.inputBits - format.pageShift - (format.signExtended ? 1 : 0));
    this.outputs = 2 ** (format.outputBits - format.pageShift);
    this.levels = existing?.levels ?? format.levels;
    this.root = existing?.root ?? pool.allocate(geometry.rootFrames(this.levels));
    this.setRoot();
  }

  /**
   * Level of the leaf that maps a page (given as int32 words of the page number), or -1. `outLo`, `outHi`, `leafShift`,
   * `leafBits` and `leafHigh` tell what it maps to.
   */
  translate(pageLo: number, pageHi: number): number {
    const aboveLo = pageLo & this.#aboveLo;
    const aboveHi = pageHi & this.#aboveHi;
    if ((aboveLo | aboveHi) !== 0 && !this.#canonical(aboveLo, aboveHi)) return -1;
    const { words } = this.pool;
    const tableMask = this.#tableMask;
    const tableStep = this.#tableStep;
    const pointerShift = this.pointerShift;
    const origin = this.#basePage << FRAME_SHIFT;
    const indexBits = this.indexBits;
    const indexMask = this.indexMask;
    const lowLevel = this.#lowLevel;
    let level = this.levels - 1;
    let tableKind = this.#tableKind + level * tableStep;
    let shift = this.rootShift;
    let slot = (this.root << FRAME_SHIFT) + (indexOf(pageLo, pageHi, shift, this.rootMask) << 1);
    let entry = words[slot]!;
    // one comparison tells a usual table from all else; measured: 25% quicker than a test for presence and one for a leaf
    while (level > lowLevel + 1 && (entry & tableMask) === tableKind) {
      level--;
      shift -= indexBits;
      tableKind -= tableStep;
      slot = ((entry >>> pointerShift) << FRAME_SHIFT) + ((indexOf(pageLo, pageHi, shift, indexMask) << 1) - origin);
      entry = words[slot]!;
    }
    while (level > 0 && (entry & tableMask) === tableKind) {
      level--;
      shift -= indexBits;
      tableKind -= tableStep;
      slot = ((entry >>> pointerShift) << FRAME_SHIFT) + ((((pageLo >>> shift) & indexMask) << 1) - origin);
      entry = words[slot]!;
    }
    if ((entry & this.presentMask) === 0) return -1;
    if (level > 0 && !this.isLeaf(entry, level)) return this.#below(entry, level, pageLo, pageHi);
    return this.found(entry, words[slot + 1]!, level, shift, pageLo, pageHi);
  }

  /** Goes on below a table that `translate` doesn't know as one at sight. */
  #below(low: number, from: number, pageLo: number, pageHi: number): number {
    const { words } = this.pool;
    let level = from;
    let entry = low;
    let slot = 0;
    while (level > 0 && !this.isLeaf(entry, level)) {
      level--;
      const index = indexOf(pageLo, pageHi, this.format.geometry.shifts[level]!, this.indexMask);
      slot = (this.tableIn(entry) << FRAME_SHIFT) + (index << 1);
      entry = words[slot]!;
      if ((entry & this.presentMask) === 0) return -1;
    }
    return this.found(entry, words[slot + 1]!, level, this.format.geometry.shifts[level]!, pageLo, pageHi);
  }

  /** Takes an entry of `level`, with `shift` page bits below it, for the leaf of a page: sets what `translate` sets. */
  found(entry: number, high: number, level: number, shift: number, pageLo: number, pageHi: number): number {
    this.leafBits = entry & this.#lowMask;
    this.leafHigh = high;
    if (this.#plain) {
      const address = high & this.#addressHigh;
      const addressShift = this.#addressShift;
      this.outLo = (entry >>> addressShift) | (address << (32 - addressShift)) | (pageLo & ~(-1 << shift));
      this.outHi = address >>> addressShift;
      this.leafShift = shift + this.#pageShift;
    } else this.#leafOf(entry, high, level, shift, pageLo, pageHi);
    return level;
  }

  /** `ACCESS` bits that the leaf of the newest `translate` allows: 1 read, 2 write. */
  permission(): number {
    return this.format.permission(this.leafBits, this.leafHigh, true);
  }

  /** True for a page whose address the root has an entry for. */
  reaches(pageLo: number, pageHi: number): boolean {
    const aboveLo = pageLo & this.#aboveLo;
    const aboveHi = pageHi & this.#aboveHi;
    return (aboveLo | aboveHi) === 0 || this.#canonical(aboveLo, aboveHi);
  }

  /** Pages from `page` to the end of the addresses that the format has there; 0 for one outside. */
  room(page: number): number {
    const { pageShift, signExtended } = this.format;
    const half = this.half;
    if (!(page >= 0)) return 0;
    if (page < half) return half - page;
    const end = 2 ** (64 - pageShift);
    return signExtended && page >= end - half && page < end ? end - page : 0;
  }

  /** First frame of the table that an entry with this low word points to: the high word has no part of it. */
  tableIn(low: number): number {
    return (low >>> this.pointerShift) - this.#basePage;
  }

  protected isLeaf(low: number, level: number): boolean {
    return level === 0 || (((low & this.#kindMask) + this.#kindAdd) & this.#leafMask) === this.#leafKind;
  }

  /** Index of the low word of the entry of `page` in a table of `level`. */
  slotOf(table: number, level: number, page: number): number {
    return table * FRAME_WORDS + this.indexAt(page, level) * 2;
  }

  protected indexAt(page: number, level: number): number {
    return indexOf(page | 0, (page / TWO_32) | 0, this.format.geometry.shifts[level]!, this.maskOf(level));
  }

  /** Highest index of a table of `level`. */
  maskOf(level: number): number {
    return level === this.levels - 1 ? this.rootMask : this.indexMask;
  }

  protected setRoot(): void {
    const { geometry, pageShift, signExtended } = this.format;
    const top = this.levels - 1;
    this.rootShift = geometry.shifts[top]!;
    const rootBits = geometry.rootBits(this.levels);
    this.rootMask = (1 << rootBits) - 1;
    const bits = this.rootShift + rootBits - (signExtended ? 1 : 0);
    this.reach = signExtended ? Infinity : 2 ** bits;
    this.#aboveLo = bits < 32 ? -1 << bits : 0;
    this.#aboveHi = bits <= 32 ? -1 : bits >= 64 ? 0 : -1 << (bits - 32);
    if (signExtended) this.#aboveHi &= ~(-1 << (32 - pageShift));
  }

  /** Of sign-extended addresses: all of their upper bits are set. */
  #canonical(aboveLo: number, aboveHi: number): boolean {
    return this.format.signExtended && aboveLo === this.#aboveLo && aboveHi === this.#aboveHi;
  }

  #leafOf(low: number, high: number, level: number, shift: number, pageLo: number, pageHi: number): void {
    const { group, addressNibble } = this.format;
    const addressShift = this.#addressShift;
    const bits = shift + (group === undefined ? 0 : group.order(low, high, level));
    let addressLo = low;
    let addressHi = high & this.#addressHigh;
    if (addressNibble) {
      addressHi |= (low & 0xf000) << 4;
      addressLo &= ~0xf000;
    }
    const insideLo = bits < 32 ? ~(-1 << bits) : -1;
    const insideHi = bits <= 32 ? 0 : ~(-1 << (bits - 32));
    const outLo = (addressLo >>> addressShift) | (addressHi << (32 - addressShift));
    this.outLo = (outLo & ~insideLo) | (pageLo & insideLo);
    this.outHi = ((addressHi >>> addressShift) & ~insideHi) | (pageHi & insideHi);
    this.leafShift = bits + this.#pageShift;
  }
}
