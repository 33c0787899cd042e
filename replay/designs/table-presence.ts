import type { DomainId, PageNumber } from '../../traces/units.ts';

/** Pages under one entry of a table from level 2 on that can be a leaf: 2 MiB, 1 GiB. VT-d spec 3.7. */
const LEAF_PAGES: readonly number[] = [0x200, 0x40000];
/** Entries of a table where leafs have no size above theirs: 512. */
const ENTRIES = 0x200;
/** Blocks looked at one by one before a walk over the held tables is cheaper. */
const MANY_BLOCKS = 4096;
/** Blocks of one mapping that are followed one by one; what lies between both ends of a larger one is taken for leaves. */
const MAX_BLOCKS = 4096;
/** Tables of one level of a domain that are kept in mind: 2 TiB of 4 KiB pages. */
const MAX_TABLES = 1 << 20;

/**
 * Which lower tables each domain's page table has: a table is made by the first smaller mapping inside its block and freed
 * by an unmap that covers its whole block, or by a large leaf put in its place. That decides the invalidation hint.
 */
export class TablePresence {
  readonly #domains = new Map<DomainId, Tables>();
  readonly #leafs: readonly number[];

  /** Last page of the blocks whose tables the newest `map` replaced. */
  replacedLast: PageNumber = -1;

  /** `leafs`: 4 KiB pages of the leaf sizes above the smallest page, ascending. */
  constructor(leafs: readonly number[] = LEAF_PAGES) {
    this.#leafs = leafs;
  }

  /**
   * Returns the first page of the blocks whose (empty) tables large leaves replaced, or -1. `offset` is the physical page
   * minus the page: a leaf needs both aligned.
   */
  map(domain: DomainId, first: PageNumber, last: PageNumber, offset: number): PageNumber {
    let tables = this.#domains.get(domain);
    if (tables === undefined) {
      tables = new Tables(this.#leafs);
      this.#domains.set(domain, tables);
    }
    const replaced = tables.map(first, last, offset);
    this.replacedLast = tables.replacedLast;
    return replaced;
  }

  /** Returns 1 if a lower table was freed. */
  unmap(domain: DomainId, first: PageNumber, last: PageNumber): number {
    const tables = this.#domains.get(domain);
    return tables === undefined ? 0 : tables.unmap(first, last);
  }

  /** The domain's page table went away. */
  drop(domain: DomainId): void {
    this.#domains.delete(domain);
  }
}

class Tables {
  /** By level: 4 KiB pages of a block; the last is no leaf. */
  readonly #sizes: readonly number[];
  readonly #smallest: number;
  readonly #largestLeaf: number;
  /** By level: numbers of the blocks that hold a table. */
  readonly #held: readonly Set<number>[];
  /** Most mappings hit the block of the one before. */
  #lastBlock = -1;
  replacedLast: PageNumber = -1;

  constructor(leafs: readonly number[]) {
    this.#sizes = [...leafs, (leafs.at(-1) ?? 1) * ENTRIES];
    this.#smallest = this.#sizes[0] ?? ENTRIES;
    this.#largestLeaf = leafs.length - 1;
    this.#held = this.#sizes.map(() => new Set<number>());
  }

  map(first: PageNumber, last: PageNumber, offset: number): PageNumber {
    const smallest = this.#smallest;
    const block = Math.floor(first / smallest);
    if (block === this.#lastBlock && last < (block + 1) * smallest && last - first + 1 < smallest) return -1;
    let replaced = -1;
    this.replacedLast = -1;
    for (let level = this.#sizes.length - 1; level >= 0; level--) {
      const size = this.#sizes[level] ?? 1;
      const held = this.#held[level];
      if (held === undefined) continue;
      const leafFits = level <= this.#largestLeaf && ((offset % size) + size) % size === 0;
      const from = Math.floor(first / size);
      const to = Math.floor(last / size);
      for (let b = from; b <= to; b++) {
        if (b - from === MAX_BLOCKS) b = to;
        const whole = first <= b * size && last >= (b + 1) * size - 1;
        if (leafFits && whole) {
          if (held.delete(b)) {
            this.#lastBlock = -1;
            if (replaced < 0 || b * size < replaced) replaced = b * size;
            this.replacedLast = Math.max(this.replacedLast, (b + 1) * size - 1);
          }
        } else if (this.#underLeaf(level, b, first, last, offset)) held.delete(b);
        else if (held.size < MAX_TABLES) held.add(b);
      }
    }
    if (this.#held[0]?.has(block) === true) this.#lastBlock = block;
    return replaced;
  }

  /** A block inside a larger leaf of the same mapping needs no table of its own. */
  #underLeaf(level: number, block: number, first: PageNumber, last: PageNumber, offset: number): boolean {
    const size = this.#sizes[level] ?? 1;
    for (let up = level + 1; up <= this.#largestLeaf; up++) {
      const upper = this.#sizes[up] ?? 1;
      const start = Math.floor((block * size) / upper) * upper;
      if (offset % upper === 0 && first <= start && last >= start + upper - 1) return true;
    }
    return false;
  }

  unmap(first: PageNumber, last: PageNumber): number {
    if (last - first + 1 < this.#smallest) return 0;
    let freed = 0;
    for (let level = 0; level < this.#sizes.length; level++) {
      const size = this.#sizes[level] ?? 1;
      const held = this.#held[level];
      if (held === undefined || held.size === 0) continue;
      const from = Math.ceil(first / size);
      const to = Math.floor((last + 1) / size) - 1;
      if (to - from > MANY_BLOCKS) {
        for (const b of held) if (b >= from && b <= to && held.delete(b)) freed = 1;
      } else {
        for (let b = from; b <= to; b++) if (held.delete(b)) freed = 1;
      }
    }
    if (freed === 1) this.#lastBlock = -1;
    return freed;
  }
}
