import type { PageTables } from './page-tables.ts';
import { TableWalk, WALK } from './table-walk.ts';

export interface NestedWalkOptions {
  /** Each stage's walks set accessed and dirty flags (VT-d first stage always, SSADE; Arm CD.HA and HD, STE.S2HA and S2HD). */
  readonly flags1?: boolean;
  readonly flags2?: boolean;
  /**
   * The second stage sees every read of a first-stage table as a write, as Intel's EPT does with accessed and dirty flags;
   * otherwise only those that set a flag (Arm ARM D8.5: the update is a write to the descriptor).
   */
  readonly tablesWritten?: boolean;
}

/** Where a nested walk failed: at the input address, at a first-stage table's address, or at the first stage's output. */
export type NestedFault = 'stage-1' | 'stage-2-table' | 'stage-2';

/**
 * A walk of stage 1 whose tables and output are addresses of stage 2. A stage of n levels over one of m reads
 * (n + 1)(m + 1) - 1 entries; less where a leaf is high up or a walk starts at a cached pointer.
 */
export class NestedWalk {
  readonly #first: TableWalk;
  readonly #second: TableWalk;
  readonly #options: NestedWalkOptions;
  /** Entries read of each stage's tables. */
  reads1 = 0;
  reads2 = 0;
  /** Entries that had flags set. */
  updates = 0;
  /** Output page, the smaller leaf's address bits and the permission of both stages. */
  outLo = 0;
  outHi = 0;
  leafShift = 0;
  permission = 0;
  /** Guest-physical page of the output, and the leaf's address bits in stage 1. */
  guestLo = 0;
  guestHi = 0;
  guestShift = 0;
  fault: NestedFault | undefined;

  constructor(stage1: PageTables, stage2: PageTables, options: NestedWalkOptions = {}) {
    this.#first = new TableWalk(stage1);
    this.#second = new TableWalk(stage2);
    this.#options = options;
  }

  get reads(): number {
    return this.reads1 + this.reads2;
  }

  /**
   * Translates a page. `from1` and `from2` are the levels of the first table read in each stage, below the root where a
   * pointer is cached: that to a first-stage table is cached with its final address, so it takes no second-stage walk.
   * Returns a `WALK` value; `fault` tells the stage.
   */
  read(
    pageLo: number,
    pageHi: number,
    access: number,
    from1: number = this.#first.tables.levels - 1,
    from2: number = this.#second.tables.levels - 1,
  ): number {
    const first = this.#first;
    const { tables } = first;
    const { flags1 = false, tablesWritten = false } = this.#options;
    const write = (access & 2) !== 0;
    this.reads1 = 0;
    this.reads2 = 0;
    this.updates = 0;
    this.fault = undefined;
    const ended = first.read(pageLo, pageHi, access, from1);
    if (ended === WALK.outside) return this.#failed('stage-1', ended);
    const start = Math.max(Math.min(from1, tables.levels - 1), first.level);
    for (let level = start; level >= first.level; level--) {
      const updates = flags1 && ended === WALK.mapped && first.changes(level, write);
      if (level === tables.levels - 1 || level < start || updates) {
        const table = first.frame(level) + tables.pool.basePage;
        const result = this.#through(table, 0, updates || tablesWritten ? 3 : 1, from2);
        if (result !== WALK.mapped) return this.#failed('stage-2-table', result);
      }
      this.reads1++;
    }
    if (ended !== WALK.mapped) return this.#failed('stage-1', ended);
    if (flags1) this.updates += first.update(write, from1);
    this.guestLo = tables.outLo;
    this.guestHi = tables.outHi;
    this.guestShift = tables.leafShift;
    const result = this.#through(this.guestLo, this.guestHi, access, from2);
    if (result !== WALK.mapped) return this.#failed('stage-2', result);
    const second = this.#second.tables;
    this.outLo = second.outLo;
    this.outHi = second.outHi;
    this.leafShift = Math.min(this.guestShift, second.leafShift);
    this.permission = first.permission & this.#second.permission;
    return WALK.mapped;
  }

  #through(pageLo: number, pageHi: number, access: number, from: number): number {
    const second = this.#second;
    const result = second.read(pageLo, pageHi, access, from);
    this.reads2 += second.reads;
    if (result === WALK.mapped && this.#options.flags2 === true) {
      this.updates += second.update((access & 2) !== 0, from);
    }
    return result;
  }

  #failed(fault: NestedFault, result: number): number {
    this.fault = fault;
    return result;
  }
}
