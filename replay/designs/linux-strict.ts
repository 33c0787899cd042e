import type { DomainId } from '../../traces/units.ts';
import { CacheTags } from './cache-tags.ts';
import type {
  CacheTag,
  CommandEmitter,
  Design,
  DesignContext,
  DesignFactory,
  MapIntent,
  UnmapIntent,
} from './design.ts';
import type { DomainFlush } from './domain-flush.ts';
import { createFlush } from './flushes.ts';

/**
 * Linux with `iommu.strict=1`: every unmap is flushed before its caller goes on (drivers/iommu/dma-iommu.c, iommu_iotlb_sync).
 */
export class LinuxStrict implements Design {
  protected readonly tags = new CacheTags();
  protected readonly flush: DomainFlush;

  constructor(emit: CommandEmitter, context: DesignContext) {
    this.flush = createFlush(emit, context, this.tags);
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

  map(intent: MapIntent): void {
    this.flush.map(intent);
  }

  unmap(intent: UnmapIntent): void {
    this.flush.unmap(intent);
  }

  sync(domain: DomainId, cpu: number, task: number, _time: number): void {
    this.flush.sync(domain, cpu, task);
  }

  syncMap(_domain: DomainId, cpu: number, _task: number, _time: number): void {
    this.flush.syncMap(cpu);
  }

  expire(_timer: number, _time: number): void {
    // strict arms none
  }
}

export const linuxStrict: DesignFactory = {
  name: 'linux-strict',
  summary: 'flush every unmap before it returns, by range, and wait for it',
  promise: 'before-return',
  parameters: [],
  create: (emit, context) => new LinuxStrict(emit, context),
};
