import { ATTACH, ORIGIN } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import { ABSENT } from '../../traces/units.ts';
import type { DomainId, Nanoseconds, RequesterId } from '../../traces/units.ts';
import { CacheTags } from '../designs/cache-tags.ts';
import type { CacheTag, Design, DesignContext } from '../designs/design.ts';
import type { DomainFlush } from '../designs/domain-flush.ts';
import { createFlush } from '../designs/flushes.ts';
import { submitter } from '../designs/gather.ts';
import type { Machine } from '../model/machine.ts';
import { DeviceDomains } from './device-domains.ts';
import type { Submission } from './submission.ts';

/** Rid of modelled accesses in a domain whose devices are not known: outside the 16 bits of a real one. */
const NAMELESS_RID = 0x40000000;

/** Who is told of attachments, and what is known beforehand. */
export interface RunDomainsOptions {
  readonly design: Design;
  readonly machine: Machine;
  readonly submission: Submission;
  readonly context: DesignContext;
  /** Domains known to be owned by user space. */
  readonly unmanaged: ReadonlySet<DomainId>;
}

/** The domains of a run: which devices and caches they have, and who owns them. */
export class RunDomains {
  readonly #options: RunDomainsOptions;
  readonly #devices = new DeviceDomains();
  readonly #unmanaged: Set<DomainId>;
  /** A device of each domain, for modelled accesses. */
  readonly #deviceOf = new Map<DomainId, RequesterId>();
  readonly #tags = new CacheTags();
  /** Flushes of domains that go away, whatever the design, and the tag that goes. */
  readonly #teardown: DomainFlush;
  readonly #going = new CacheTags();
  /** Domains that ever had a cache tag. */
  readonly #tagged = new Set<DomainId>();
  readonly #untagged = new Set<DomainId>();

  constructor(options: RunDomainsOptions) {
    this.#options = options;
    this.#teardown = createFlush(options.submission, options.context, this.#going);
    this.#unmanaged = new Set(options.unmanaged);
    for (const domain of options.unmanaged) options.design.setManaged(domain, false);
  }

  /** User space owns the domain. */
  isUnmanaged(domain: DomainId): boolean {
    return this.#unmanaged.has(domain);
  }

  /** Domains that never had a cache tag in the trace. */
  untagged(): readonly DomainId[] {
    return [...this.#untagged].sort((a, b) => a - b);
  }

  /** A domain that nothing attached: one IOTLB holds its translations, as far as anybody can tell. */
  tagIfNew(domain: DomainId): void {
    if (this.#tagged.has(domain)) return;
    this.#tagged.add(domain);
    this.#untagged.add(domain);
    this.#options.design.assignTag({ domain, unit: ABSENT, type: 0, device: ABSENT, pasid: 0 });
  }

  /** Row `r` of the attach stream. */
  attach(columns: Segment['rows']['attach']['columns'], r: number, time: Nanoseconds, cpu: number, task: number): void {
    const { design, machine, submission } = this.#options;
    const key = submitter(cpu, task);
    const kind = columns.kind[r];
    const device = columns.device[r]!; // r is in range, here and below
    const domain = columns.domain[r]!;
    const pasid = Math.max(0, columns.pasid[r]!);
    if (kind === ATTACH.attach && pasid > 0) {
      // the DMA API uses requests without PASID only
      if (domain !== ABSENT) machine.attach(device, pasid, domain);
      return;
    }
    if (kind === ATTACH.attach) {
      const now = this.#devices.attached(key, device, domain);
      if (now === ABSENT) return;
      machine.attach(device, ABSENT, now);
      this.#deviceOf.set(now, device);
      // the first domain of a device is the DMA API's; what comes later is user space's until the DMA API is seen to use it
      this.#setManaged(now, this.#devices.changes(device) <= 1);
      return;
    }
    if (kind !== ATTACH.tagAssign && kind !== ATTACH.tagUnassign) return;
    const tag: CacheTag = { domain, unit: columns.unit[r]!, type: columns.type[r]!, device, pasid };
    if (kind === ATTACH.tagUnassign) {
      this.#tags.unassign(tag);
      design.unassignTag(tag);
      if (this.#tags.has(tag)) return;
      // taking a context or PASID entry away empties what it filled, whatever the design (drivers/iommu/intel/pasid.c)
      submission.from(cpu, time);
      this.#going.assign(tag);
      this.#teardown.all(domain);
      this.#going.unassign(tag);
      return;
    }
    // the DMA API uses requests without PASID only
    if (pasid > 0 && this.#tags.of(domain).length === 0) this.#setManaged(domain, false);
    this.#tags.assign(tag);
    this.#tagged.add(domain);
    design.assignTag(tag);
    this.#devices.tagAssigned(key, domain);
    if (device !== ABSENT) machine.attach(device, pasid === 0 ? ABSENT : pasid, domain);
  }

  /** The domain of an event that names a domain or a device. */
  of(domain: DomainId, device: RequesterId): DomainId {
    return domain !== ABSENT || device === ABSENT ? domain : this.#devices.of(device);
  }

  /** Whose accesses a model makes up. */
  rid(domain: DomainId, device: RequesterId): RequesterId {
    return device !== ABSENT ? device : (this.#deviceOf.get(domain) ?? NAMELESS_RID | domain);
  }

  /** An event shows who uses a domain: the DMA API's are its own. */
  byDmaApi(origin: number, domain: DomainId): void {
    if (origin === ORIGIN.dmaApi && domain !== ABSENT && this.#unmanaged.has(domain)) this.#setManaged(domain, true);
  }

  #setManaged(domain: DomainId, managed: boolean): void {
    if (this.#options.unmanaged.has(domain) || managed !== this.#unmanaged.has(domain)) return;
    if (managed) this.#unmanaged.delete(domain);
    else this.#unmanaged.add(domain);
    this.#options.design.setManaged(domain, managed);
  }
}
