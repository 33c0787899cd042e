import { PAGE_SIZE } from './backing.ts';
import type { Process } from './process.ts';

/** Locked pages of a user, or of an address space. */
export interface LockedPages {
  lockedPages: number;
}

/** Whether `pages` more stay within the limit of a process. A limit that is not known is none. */
export function withinLimit(process: Process, { lockedPages }: LockedPages, pages: number): boolean {
  const { memlock } = process;
  if (memlock === undefined) process.limitMissed = true;
  return memlock === undefined || lockedPages + pages <= Math.floor(memlock / PAGE_SIZE);
}

/**
 * Who pays for the pages of one MAP: its caller's user, or its address space (drivers/iommu/iommufd/pages.c, account_mode). The
 * limit is always that of the process. How it is counted is decided at MAP and stays; who pays, CHANGE_PROCESS changes.
 */
export class PageAccount {
  readonly perProcess: boolean;
  #process: Process;
  #ledger: LockedPages;

  constructor(process: Process, perProcess: boolean) {
    this.perProcess = perProcess;
    this.#process = process;
    this.#ledger = this.#ledgerOf(process);
  }

  /** False: over the limit, and nothing is counted. */
  charge(pages: number): boolean {
    if (pages > 0 && !withinLimit(this.#process, this.#ledger, pages)) return false;
    this.#ledger.lockedPages += pages;
    return true;
  }

  /** Whether CHANGE_PROCESS by `process` moves what is counted: another user, or another address space. */
  movesTo(process: Process): boolean {
    const { memory, user } = this.#process;
    return memory !== process.memory || (!this.perProcess && user !== process.user);
  }

  /** Pages that the new payer has been charged with already. */
  moveTo(process: Process, pages: number): void {
    this.#ledger.lockedPages -= pages;
    this.#process = process;
    this.#ledger = this.#ledgerOf(process);
  }

  #ledgerOf({ memory, user }: Process): LockedPages {
    return this.perProcess ? memory : user;
  }
}

/** The account of what a process maps now; undefined: nothing is counted, it has CAP_IPC_LOCK. */
export function accountOf(process: Process, perProcess: boolean): PageAccount | undefined {
  return process.ipcLock ? undefined : new PageAccount(process, perProcess);
}
