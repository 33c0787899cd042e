import { RISCV_FUNCTION, RISCV_OPCODE } from '../../traces/dialects/riscv-fields.ts';
import type { DomainId } from '../../traces/units.ts';
import type { CacheTags } from './cache-tags.ts';
import type { CommandEmitter, MapIntent, UnmapIntent } from './design.ts';
import type { DomainFlush, FlushRange } from './domain-flush.ts';
import { Gathers } from './gather.ts';

/** From 2 MiB on everything of the domain goes (drivers/iommu/riscv/iommu.c, RISCV_IOMMU_IOTLB_INVAL_LIMIT). */
const LIMIT_PAGES = 512;
const ADDRESS_VALID = 0x400;
const PSCID_VALID = 1;

/**
 * RISC-V IOMMU commands (drivers/iommu/riscv/iommu.c): IOTINVAL.VMA by PSCID, page by page up to 2 MiB, else all of it; one
 * IOFENCE.C behind. Without the non-leaf extension a table that goes takes everything with it. Domains are PSCIDs.
 */
export class RiscvFlush implements DomainFlush {
  readonly #emit: CommandEmitter;
  readonly #tags: CacheTags;
  readonly #gathers = new Gathers();

  constructor(emit: CommandEmitter, tags: CacheTags) {
    this.#emit = emit;
    this.#tags = tags;
  }

  map(_intent: MapIntent): void {
    // what is not present is not cached
  }

  syncMap(_cpu: number): void {
    // new mappings need no command
  }

  unmap(intent: UnmapIntent): void {
    this.#gathers.add(intent);
  }

  defer(_intent: UnmapIntent): void {
    // all of it goes with the queue's flush
  }

  sync(domain: DomainId, cpu: number, task: number): void {
    const gather = this.#gathers.take(cpu, task, domain);
    if (gather === undefined) return;
    const pages = gather.last - gather.first + 1;
    if (pages >= LIMIT_PAGES) this.all(domain);
    else this.#flush(domain, [{ ...gather, order: 0 }]);
  }

  ranges(domain: DomainId, ranges: readonly FlushRange[]): void {
    this.#flush(domain, ranges);
  }

  all(domain: DomainId): void {
    this.#flush(domain, undefined);
  }

  /** Without ranges: everything. */
  #flush(domain: DomainId, ranges: readonly FlushRange[] | undefined): void {
    const low = RISCV_OPCODE.iotinval | (RISCV_FUNCTION.vma << 7) | (domain << 12);
    const whole = ranges === undefined || ranges.some(({ freedTable }) => freedTable === 1);
    const tags = this.#tags.of(domain);
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i]!; // i is in range
      if ((tag.type & 1) === 1) continue;
      if (whole) this.#emit.command(tag.unit, low, PSCID_VALID, 0, 0, 0, 0, 0, 0);
      else for (const range of ranges) this.#leaves(tag.unit, low, range);
      this.#emit.submit(tag.unit);
    }
  }

  #leaves(unit: number, low: number, { first, last, order }: FlushRange): void {
    for (let page = first; page <= last; page += 2 ** Math.max(order, 0)) {
      // address bits 63:12 are at 61:10
      const lo = ((page % 0x40_0000) << 10) | 0;
      const hi = Math.floor(page / 0x40_0000) | 0;
      this.#emit.command(unit, low | ADDRESS_VALID, PSCID_VALID, lo, hi, 0, 0, 0, 0);
    }
  }
}
