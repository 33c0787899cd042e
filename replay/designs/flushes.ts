import { DIALECT } from '../../traces/schema.ts';
import { AmdFlush } from './amd-flush.ts';
import type { CacheTags } from './cache-tags.ts';
import type { CommandEmitter, DesignContext } from './design.ts';
import type { DomainFlush } from './domain-flush.ts';
import { RiscvFlush } from './riscv-flush.ts';
import { Smmuv3Flush } from './smmuv3-flush.ts';
import { VirtioFlush } from './virtio-flush.ts';
import { VtdFlush } from './vtd-flush.ts';

/** The commands of the context's dialect for the domains that `tags` lists. */
export function createFlush(emit: CommandEmitter, context: DesignContext, tags: CacheTags): DomainFlush {
  switch (context.dialect) {
    case DIALECT.smmuv3:
      return new Smmuv3Flush(emit, context, tags);
    case DIALECT.amd:
      return new AmdFlush(emit, context, tags);
    case DIALECT.virtio:
      return new VirtioFlush(emit, tags);
    case DIALECT.riscv:
      return new RiscvFlush(emit, tags);
    default:
      return new VtdFlush(emit, context, tags);
  }
}
