import { CacheTags } from './cache-tags.ts';
import type { CacheTag, CommandEmitter, Design, DesignContext, DesignFactory } from './design.ts';
import { Gathers } from './gather.ts';
import { VtdFlush } from './vtd-flush.ts';
import type { DomainId, PageNumber } from '../../traces/units.ts';

/**
 * Linux with `iommu.strict=1`: every unmap is flushed before its caller goes on (drivers/iommu/dma-iommu.c, iommu_iotlb_sync),
 * by one command per cache tag over the smallest aligned power of two of pages, then one wait
 * (drivers/iommu/intel/cache.c, Linux 6.12 to 7.2).
 */
export class LinuxStrict implements Design {
  protected readonly tags = new CacheTags();
  protected readonly flush: VtdFlush;
  readonly #gathers = new Gathers();
  readonly #cachingMode: boolean;
  /** Caching mode: the run of contiguous mappings of each CPU, not flushed yet. */
  readonly #runs = new Map<number, { domain: DomainId; first: PageNumber; last: PageNumber }>();

  constructor(emit: CommandEmitter, context: DesignContext) {
    this.flush = new VtdFlush(emit, context);
    this.#cachingMode = context.cachingMode;
  }

  assignTag(tag: CacheTag): void {
    this.tags.assign(tag);
  }

  unassignTag(tag: CacheTag): void {
    this.tags.unassign(tag);
  }

  setManaged(_domain: DomainId, _managed: boolean): void {
    // both kinds of owner are flushed alike
  }

  map(
    domain: DomainId,
    first: PageNumber,
    last: PageNumber,
    replacedFirst: PageNumber,
    replacedLast: PageNumber,
    cpu: number,
  ): void {
    if (replacedFirst >= 0) this.flush.range(domain, this.tags.of(domain), replacedFirst, replacedLast, 0);
    if (!this.#cachingMode) return;
    const run = this.#runs.get(cpu);
    if (run?.domain === domain && run.last + 1 === first) {
      run.last = last;
      return;
    }
    this.#endRun(cpu);
    this.#runs.set(cpu, { domain, first, last });
  }

  unmap(
    domain: DomainId,
    first: PageNumber,
    last: PageNumber,
    freedTable: number,
    cpu: number,
    task: number,
    _time: number,
  ): void {
    if (this.#cachingMode) this.#endRun(cpu);
    this.#gathers.add(cpu, task, domain, first, last, freedTable);
  }

  sync(domain: DomainId, cpu: number, task: number, _time: number): void {
    const gather = this.#gathers.take(cpu, task, domain);
    if (gather === undefined) return;
    this.flush.range(domain, this.tags.of(domain), gather.first, gather.last, gather.freedTable === 1 ? 0 : 1);
  }

  syncMap(_domain: DomainId, cpu: number, _task: number, _time: number): void {
    if (this.#cachingMode) this.#endRun(cpu);
  }

  expire(_timer: number, _time: number): void {
    // strict arms none
  }

  /** Flushes a CPU's run of new mappings (caching mode). */
  #endRun(cpu: number): void {
    const run = this.#runs.get(cpu);
    if (run === undefined) return;
    this.#runs.delete(cpu);
    this.flush.notPresent(run.domain, this.tags.of(run.domain), run.first, run.last);
  }
}

export const linuxStrict: DesignFactory = {
  name: 'linux-strict',
  summary: 'flush every unmap before it returns, one ranged command per cache tag and one wait',
  parameters: [],
  create: (emit, context) => new LinuxStrict(emit, context),
};
