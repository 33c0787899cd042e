import { ERRNO } from './errno.ts';
import { LowestFree } from './lowest-free.ts';
import type { Refusal, TranslationGroup } from './translation-group.ts';
import { BLOCKED } from './translation-state.ts';
import type { Translation } from './translation-state.ts';

interface SharedSpace {
  readonly pasid: number;
  readonly domain: Translation;
  /** Binds by device group. */
  readonly binds: Map<TranslationGroup, number>;
}

/**
 * Shared virtual addresses (drivers/iommu/iommu-sva.c; uacce, idxd): a process's own page table as a domain on a PASID. The
 * process has one PASID for all devices; its domain is attached, detached and refused like any other.
 */
export class SvaCore {
  readonly #pasids = new LowestFree(1);
  readonly #spaces = new Map<number, SharedSpace>();
  /** Domains are told apart by numbers from here on. */
  #nextDomain: number;

  constructor(firstDomain: number) {
    this.#nextDomain = firstDomain;
  }

  /** The PASID that the device may use for the process's addresses, or a negative errno. Binding again is counted. */
  bind(group: TranslationGroup, process: number, refusal?: Refusal): number {
    const space = this.#spaces.get(process) ?? this.#share(process);
    const bound = space.binds.get(group);
    if (bound !== undefined) {
      space.binds.set(group, bound + 1);
      return space.pasid;
    }
    const taken = group.now(space.pasid).kind !== 'blocked';
    const ret = taken ? -ERRNO.EBUSY : group.change(space.pasid, space.domain, refusal);
    if (ret === 0) space.binds.set(group, 1);
    else this.#settle(process, space);
    return ret === 0 ? space.pasid : ret;
  }

  /** The device may not use the process's addresses any more; 0, or a negative errno where it was not bound. */
  unbind(group: TranslationGroup, process: number): number {
    const space = this.#spaces.get(process);
    const bound = space?.binds.get(group);
    if (space === undefined || bound === undefined) return -ERRNO.EINVAL;
    if (bound > 1) {
      space.binds.set(group, bound - 1);
      return 0;
    }
    space.binds.delete(group);
    group.change(space.pasid, BLOCKED);
    this.#settle(process, space);
    return 0;
  }

  /** The process ends: its addresses go at once, its PASID only with the last bind. */
  exit(process: number): void {
    const space = this.#spaces.get(process);
    for (const group of space?.binds.keys() ?? []) group.change(space?.pasid ?? 0, BLOCKED);
  }

  #share(process: number): SharedSpace {
    const domain: Translation = { kind: 'sva', domain: this.#nextDomain++ };
    const space = { pasid: this.#pasids.take(), domain, binds: new Map<TranslationGroup, number>() };
    this.#spaces.set(process, space);
    return space;
  }

  #settle(process: number, space: SharedSpace): void {
    if (space.binds.size > 0) return;
    this.#spaces.delete(process);
    this.#pasids.give(space.pasid);
  }
}
