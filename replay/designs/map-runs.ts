import type { DomainId, PageNumber } from '../../traces/units.ts';

interface Run {
  readonly domain: DomainId;
  readonly first: PageNumber;
  last: PageNumber;
}

/**
 * Where mapping must flush too: the run of contiguous mappings of each CPU that is not flushed yet. A scatter-gather list is mapped
 * piece by piece and synchronised once (drivers/iommu/iommu.c, iommu_map_sg).
 */
export class MapRuns {
  readonly #runs = new Map<number, Run>();
  readonly #flush: (domain: DomainId, first: PageNumber, last: PageNumber) => void;

  constructor(flush: (domain: DomainId, first: PageNumber, last: PageNumber) => void) {
    this.#flush = flush;
  }

  add(cpu: number, domain: DomainId, first: PageNumber, last: PageNumber): void {
    const run = this.#runs.get(cpu);
    if (run?.domain === domain && run.last + 1 === first) {
      run.last = last;
      return;
    }
    this.end(cpu);
    this.#runs.set(cpu, { domain, first, last });
  }

  /** Flushes a CPU's run. */
  end(cpu: number): void {
    const run = this.#runs.get(cpu);
    if (run === undefined) return;
    this.#runs.delete(cpu);
    this.#flush(run.domain, run.first, run.last);
  }
}
