import { ABSENT } from '../../traces/units.ts';
import type { DomainId, RequesterId } from '../../traces/units.ts';

/**
 * Which domain a device is attached to. The kernel's attach event names no domain, but the cache tag that the same submitter
 * assigned just before does (drivers/iommu/intel/iommu.c, dmar_domain_attach_device).
 */
export class DeviceDomains {
  readonly #domains = new Map<RequesterId, DomainId>();
  readonly #newestTag = new Map<number, DomainId>();
  readonly #changes = new Map<RequesterId, number>();

  /** A tag was assigned by a submitter. */
  tagAssigned(submitter: number, domain: DomainId): void {
    this.#newestTag.set(submitter, domain);
  }

  /** Returns the domain that a device is now attached to, or `ABSENT` where that is not known. */
  attached(submitter: number, device: RequesterId, named: DomainId): DomainId {
    const tag = this.#newestTag.get(submitter);
    const domain = named !== ABSENT ? named : (tag ?? ABSENT);
    this.#newestTag.delete(submitter);
    if (domain === ABSENT) return ABSENT;
    this.#domains.set(device, domain);
    // without a tag it is not the kernel's own event but what the hardware saw of the same change
    if (tag !== undefined) this.#changes.set(device, (this.#changes.get(device) ?? 0) + 1);
    return domain;
  }

  of(device: RequesterId): DomainId {
    return this.#domains.get(device) ?? ABSENT;
  }

  /** How often the kernel attached the device to a domain. The first time is its default domain, which the DMA API uses. */
  changes(device: RequesterId): number {
    return this.#changes.get(device) ?? 0;
  }
}
