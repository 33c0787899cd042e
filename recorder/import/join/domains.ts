import { ATTACH } from '../../../traces/schema.ts';
import type { DomainId, Nanoseconds, RequesterId } from '../../../traces/units.ts';

const NONE = -1;
/** Several at once: a device with PASIDs. */
const SEVERAL = -2;
/** A tag is assigned just before the device is attached, by the same task. */
const TAG_WINDOW: Nanoseconds = 1_000_000_000;

/**
 * Which device uses which domain now. Linux prints `cache_tag_assign` with the domain and, right after it on the same task,
 * `attach_device_to_domain` with the device (drivers/iommu/intel/cache.c, drivers/iommu/iommu.c). A PASID's tags are assigned
 * without an attach event; the device's own tag (devtlb) names it where it has ATS.
 */
export class DomainTable {
  /** By requester id below 2^16 (segment 0): the one domain, NONE or SEVERAL. */
  readonly #quick = new Int32Array(0x10000).fill(NONE);
  readonly #base = new Map<RequesterId, DomainId>();
  readonly #pasids = new Map<RequesterId, Set<DomainId>>();
  readonly #everOf = new Map<RequesterId, Set<DomainId>>();
  readonly #devices = new Map<DomainId, Set<RequesterId>>();
  readonly #assigned = new Map<number, { domain: DomainId; pasid: number; time: Nanoseconds }>();
  /** Domains that a task has assigned and that are still in use, for tasks that attach devices themselves. */
  readonly #ofTask = new Map<number, Set<DomainId>>();
  /** What `domainOfTask` found last; NaN: nothing that still holds. */
  #newestTask = Number.NaN;
  #newestDomain: DomainId = NONE;
  attaches = 0;

  /** The domain that a device uses now: NONE (-1) if not known, SEVERAL (-2) if its PASIDs have others. */
  domainOf(device: RequesterId): DomainId {
    if (device >= 0 && device < 0x10000) return this.#quick[device]!;
    return device < 0 ? NONE : this.#look(device);
  }

  /** May this device's accesses go through this domain? */
  uses(device: RequesterId, domain: DomainId): boolean {
    return this.#base.get(device) === domain || this.#pasids.get(device)?.has(domain) === true;
  }

  /** The only domain that a device ever had, or -1. */
  onlyDomainOf(device: RequesterId): DomainId {
    const all = this.#everOf.get(device);
    return all?.size === 1 ? [...all][0]! : NONE;
  }

  /** The only device that a domain ever had, or -1. */
  onlyDeviceOf(domain: DomainId): RequesterId {
    const all = this.#devices.get(domain);
    return all?.size === 1 ? [...all][0]! : NONE;
  }

  /**
   * The domain that this task works with, if it attached devices itself and exactly one of their domains is still in use;
   * SEVERAL (-2) if it is not that clear, NONE (-1) for tasks that attach nothing.
   */
  domainOfTask(task: number): DomainId {
    // Tasks make many maps in a row.
    if (task !== this.#newestTask) {
      const domains = this.#ofTask.get(task);
      this.#newestTask = task;
      this.#newestDomain = domains === undefined ? NONE : domains.size === 1 ? [...domains][0]! : SEVERAL;
    }
    return this.#newestDomain;
  }

  /** Of the two domains that a task works with, the one that is not `domain`; -1 if they are not two, or neither is. */
  otherDomainOfTask(task: number, domain: DomainId): DomainId {
    const domains = this.#ofTask.get(task);
    if (domains?.size !== 2 || !domains.has(domain)) return NONE;
    for (const other of domains) if (other !== domain) return other;
    return NONE;
  }

  /** A guest's attach event. Returns the domain that a device was attached to, or -1. */
  attach(
    kind: number,
    task: number,
    time: Nanoseconds,
    device: RequesterId,
    domain: DomainId,
    pasid: number,
  ): DomainId {
    this.#newestTask = Number.NaN;
    if (kind === ATTACH.tagAssign) {
      this.#assigned.set(task, { domain, pasid, time });
      this.#tasksDomains(task).add(domain);
      if (device >= 0) {
        if (pasid > 0) this.#addPasid(device, domain);
        else this.#setBase(device, domain);
      }
      return NONE;
    }
    if (kind === ATTACH.tagUnassign) {
      for (const domains of this.#ofTask.values()) domains.delete(domain);
      return NONE;
    }
    if (kind !== ATTACH.attach || device < 0) return NONE;
    this.attaches++;
    if (domain >= 0) {
      this.#setBase(device, domain);
      return domain;
    }
    const tag = this.#assigned.get(task);
    this.#assigned.delete(task);
    if (tag === undefined || time - tag.time > TAG_WINDOW) {
      // Attached to a domain without cache tags: blocked or identity.
      this.#base.delete(device);
      this.#refresh(device);
      return NONE;
    }
    if (tag.pasid > 0) this.#addPasid(device, tag.domain);
    else this.#setBase(device, tag.domain);
    return tag.domain;
  }

  /** The hardware was seen using this domain for this device. */
  observe(device: RequesterId, domain: DomainId): void {
    if (device < 0 || domain < 0) return;
    if (device < 0x10000 ? this.#quick[device] === domain : this.#look(device) === domain) return;
    if (this.uses(device, domain)) return;
    if (this.#base.has(device)) this.#addPasid(device, domain);
    else this.#setBase(device, domain);
  }

  /** The hardware was seen using this domain for this device, which has no other: its PASIDs are not told apart. */
  moved(device: RequesterId, domain: DomainId): void {
    if (device < 0 || domain < 0) return;
    if (device < 0x10000 ? this.#quick[device] === domain : this.#look(device) === domain) return;
    this.#pasids.delete(device);
    this.#setBase(device, domain);
    this.#refresh(device);
  }

  #tasksDomains(task: number): Set<DomainId> {
    let domains = this.#ofTask.get(task);
    if (domains === undefined) {
      domains = new Set();
      this.#ofTask.set(task, domains);
    }
    return domains;
  }

  #setBase(device: RequesterId, domain: DomainId): void {
    if (this.#base.get(device) === domain) return;
    this.#base.set(device, domain);
    // Seen first by the hardware's log, attached by the guest's a little later.
    this.#pasids.get(device)?.delete(domain);
    this.#remember(device, domain);
  }

  #addPasid(device: RequesterId, domain: DomainId): void {
    let domains = this.#pasids.get(device);
    if (domains === undefined) {
      domains = new Set();
      this.#pasids.set(device, domains);
    }
    domains.add(domain);
    this.#remember(device, domain);
  }

  #remember(device: RequesterId, domain: DomainId): void {
    for (const [map, key, value] of [
      [this.#devices, domain, device],
      [this.#everOf, device, domain],
    ] as const) {
      const set = map.get(key);
      if (set === undefined) map.set(key, new Set([value]));
      else set.add(value);
    }
    this.#refresh(device);
  }

  #refresh(device: RequesterId): void {
    if (device < 0x10000) this.#quick[device] = this.#look(device);
  }

  #look(device: RequesterId): DomainId {
    const base = this.#base.get(device);
    const pasids = this.#pasids.get(device)?.size ?? 0;
    if (pasids === 0) return base ?? NONE;
    if (base === undefined && pasids === 1) return [...this.#pasids.get(device)!][0]!;
    return SEVERAL;
  }
}
