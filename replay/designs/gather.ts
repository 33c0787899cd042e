import type { DomainId, PageNumber } from '../../traces/units.ts';
import type { UnmapIntent } from './design.ts';

/** What one submitter has unmapped in one domain and not yet flushed (include/linux/iommu.h, struct iommu_iotlb_gather). */
interface Gather {
  readonly domain: DomainId;
  first: PageNumber;
  last: PageNumber;
  freedTable: number;
  /** Pages that were added last. */
  newest: number;
  open: boolean;
}

/**
 * Gathers by submitter: a task, or a CPU where the task is the idle task (pid 0 runs on every CPU). A submitter may have one
 * open gather in each domain, because an interrupt can unmap in the middle of a task's own unmapping.
 */
export class Gathers {
  readonly #bySubmitter = new Map<number, Gather[]>();

  add({ cpu, task, domain, first, last, freedTable }: UnmapIntent): void {
    const gather = this.#of(cpu, task, domain);
    gather.newest = last - first + 1;
    if (!gather.open) {
      gather.open = true;
      gather.first = first;
      gather.last = last;
      gather.freedTable = freedTable;
      return;
    }
    if (first < gather.first) gather.first = first;
    if (last > gather.last) gather.last = last;
    gather.freedTable |= freedTable;
  }

  /** True if pages can't be added to the submitter's open gather without a gap. */
  disjoint({ cpu, task, domain, first, last }: UnmapIntent): boolean {
    const gather = this.#find(cpu, task, domain);
    return gather?.open === true && (last + 1 < gather.first || first > gather.last + 1);
  }

  /** True if pages can't be added to the submitter's open gather: a gap, or another size than the newest piece's. */
  differs({ cpu, task, domain, first, last }: UnmapIntent): boolean {
    const gather = this.#find(cpu, task, domain);
    if (gather?.open !== true) return false;
    return gather.newest !== last - first + 1 || last + 1 < gather.first || first > gather.last + 1;
  }

  /** The open gather of a submitter in a domain, now closed; undefined if there is none. */
  take(cpu: number, task: number, domain: DomainId): Gather | undefined {
    const gather = this.#find(cpu, task, domain);
    if (gather?.open !== true) return undefined;
    gather.open = false;
    return gather;
  }

  #find(cpu: number, task: number, domain: DomainId): Gather | undefined {
    const list = this.#bySubmitter.get(submitter(cpu, task));
    if (list === undefined) return undefined;
    for (let i = 0; i < list.length; i++) if (list[i]!.domain === domain) return list[i]; // i is in range
    return undefined;
  }

  #of(cpu: number, task: number, domain: DomainId): Gather {
    const key = submitter(cpu, task);
    let list = this.#bySubmitter.get(key);
    if (list === undefined) {
      list = [];
      this.#bySubmitter.set(key, list);
    }
    for (let i = 0; i < list.length; i++) if (list[i]!.domain === domain) return list[i]!; // i is in range
    const gather: Gather = { domain, first: 0, last: 0, freedTable: 0, newest: 0, open: false };
    list.push(gather);
    return gather;
  }
}

/** One number for a submitter: its pid, or below zero the CPU whose idle task it is. */
export function submitter(cpu: number, task: number): number {
  return task === 0 ? -1 - cpu : task;
}
