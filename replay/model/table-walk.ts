import { indexOf } from './page-bits.ts';
import { isDirty, isLeaf, withDirty } from './table-entry.ts';
import { FRAME_SHIFT } from './table-pool.ts';
import type { TableReader } from './table-reader.ts';

/** How a walk ended. `outside`: the address has bits that the format doesn't translate. */
export const WALK = { mapped: 0, missing: 1, permission: 2, outside: 3 } as const;

const MOST_LEVELS = 6;

/**
 * A walk as hardware does it: entry by entry, with the permissions of tables and leaf combined, and accessed and dirty flags
 * set if it is told to. `translate` of the tables gives the same answer without any of that.
 */
export class TableWalk {
  readonly tables: TableReader;
  /** Level of the entry that ended it: a leaf's, or an empty one's. */
  level = -1;
  /** `ACCESS` bits that all entries allow. */
  permission = 0;
  /** Entries read. */
  reads = 0;
  /** Entries that `update` changed. */
  updates = 0;
  /** By level: index of the low word of the entry read. */
  readonly slots: Int32Array = new Int32Array(MOST_LEVELS);

  constructor(tables: TableReader) {
    this.tables = tables;
  }

  /**
   * Reads from the root, or from the table of level `from` where a cached pointer to it saves the levels above, to a leaf.
   * `access`: `ACCESS` bits wanted, 1 read, 2 write. Returns a `WALK` value; where it is `mapped`, the tables' `outLo`,
   * `outHi` and `leafShift` tell what it maps to.
   */
  read(pageLo: number, pageHi: number, access: number, from: number = this.tables.levels - 1): number {
    const { tables, slots } = this;
    const { format, pool } = tables;
    const { words } = pool;
    const { shifts } = format.geometry;
    this.reads = 0;
    this.permission = 3;
    this.level = -1;
    if (!tables.reaches(pageLo, pageHi)) return WALK.outside;
    let level = tables.levels - 1;
    let slot = (tables.root << FRAME_SHIFT) + (indexOf(pageLo, pageHi, shifts[level]!, tables.maskOf(level)) << 1);
    let permission = 3;
    for (;;) {
      const low = words[slot]!;
      slots[level] = slot;
      const present = (low & format.presentMask) !== 0;
      const leaf = isLeaf(format, low, level);
      if (present) permission &= format.permission(low, words[slot + 1]!, leaf);
      if (leaf || !present) {
        this.level = level;
        // a cached pointer can't lie below a leaf
        this.reads = Math.max(1, Math.min(from, tables.levels - 1) - level + 1);
        this.permission = permission;
        if (!present) return WALK.missing;
        tables.found(low, words[slot + 1]!, level, shifts[level]!, pageLo, pageHi);
        return (access & 3 & ~permission) === 0 ? WALK.mapped : WALK.permission;
      }
      level--;
      const index = indexOf(pageLo, pageHi, shifts[level]!, tables.maskOf(level));
      slot = (tables.tableIn(low) << FRAME_SHIFT) + (index << 1);
    }
  }

  /** Whether a walk that was just read would change the entry of a level. */
  changes(level: number, write: boolean): boolean {
    return this.#updated(level, write) !== this.tables.pool.words[this.slots[level]!];
  }

  /**
   * Sets the flags that hardware sets on the walk that was just read: accessed in the leaf (and in tables from level `from`
   * on, where the format has it there), dirty in the one entry that was used, if it writes. Returns how many entries changed.
   */
  update(write: boolean, from: number = this.tables.levels - 1): number {
    const { words } = this.tables.pool;
    this.updates = 0;
    for (let level = Math.max(this.level, Math.min(from, this.tables.levels - 1)); level >= this.level; level--) {
      const slot = this.slots[level]!;
      const low = this.#updated(level, write);
      if (low !== words[slot]) this.updates++;
      words[slot] = low;
    }
    return this.updates;
  }

  /** Frame of the entry of a level, as tables with more than one frame have several. */
  frame(level: number): number {
    return this.slots[level]! >>> FRAME_SHIFT;
  }

  #updated(level: number, write: boolean): number {
    const { pool, format } = this.tables;
    const slot = this.slots[level]!;
    const low = pool.words[slot]!;
    if (level > this.level) return format.tablesAccessed ? low | format.accessed : low;
    const high = pool.words[slot + 1]!;
    const accessed = low | format.accessed;
    return write && !isDirty(format, low, high) ? withDirty(format, accessed, high) : accessed;
  }
}
