import { Random } from '../../traces/random.ts';
import { isDirty } from '../model/table-entry.ts';
import { TableWalk, WALK } from '../model/table-walk.ts';
import { setDirty } from './dirty-bit.ts';
import { sharedReader } from './table-memory.ts';
import type { SharedTables } from './table-memory.ts';
import type { WriteLedger } from './write-ledger.ts';

const TWO_32 = 2 ** 32;
const WRITE = 2;

/** Writes as a device does: walks to the leaf's entry and sets it dirty there. Any number may be at work, and harvesters too. */
export class DirtyWriter {
  readonly #shared: SharedTables;
  readonly #walk: TableWalk;
  readonly #random: Random;
  readonly #ledger: WriteLedger | undefined;

  constructor(shared: SharedTables, ledger: WriteLedger | undefined, seed: number) {
    this.#shared = shared;
    this.#walk = new TableWalk(sharedReader(shared));
    this.#random = new Random(seed);
    this.#ledger = ledger;
  }

  /** To a random page. */
  write(): void {
    this.writeTo(this.#random.below(this.#shared.pages));
  }

  /**
   * The data first, then the dirty bit: a harvest that clears the bit earlier leaves it to the next, one that clears it later
   * copies the data.
   */
  writeTo(page: number): void {
    const walk = this.#walk;
    const { format, pool } = walk.tables;
    if (walk.read(page | 0, (page / TWO_32) | 0, WRITE) !== WALK.mapped)
      throw new RangeError(`page ${page} is not mapped`);
    const slot = walk.slots[walk.level]!;
    this.#ledger?.written(page);
    const low = setDirty(pool.words, slot, format);
    if (!isDirty(format, low, pool.words[slot + 1]!)) this.#ledger?.becameDirty();
  }
}
