import type { DomainId, RequesterId } from '../../traces/units.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { PageTables } from './page-tables.ts';
import { formatsOfProfile } from './profile-format.ts';
import type { ProfileFormats } from './profile-format.ts';
import { PairIndex } from './requesters.ts';
import { TablePool } from './table-pool.ts';

/** Tags of address spaces that are no domain's own number. */
const FIRST_SPACE = 0x1_0000;

/**
 * Who translates by what: requesters (rid, PASID) by number, each with its domain, the tag that its translations are cached
 * under, and the page tables of its domain. VT-d and AMD tag by domain and PASID, Arm by ASID and VMID and RISC-V by PSCID and
 * GSCID, which there the domain's number is; QEMU's VT-d and AMD units by requester.
 */
export class AddressSpaces {
  readonly requesters: PairIndex = new PairIndex('requesters');
  readonly tables: Map<DomainId, PageTables> = new Map();
  readonly formats: ProfileFormats;
  /** Domains hold the guest (VMID, GSCID) in their upper half. */
  readonly guests: boolean;
  /** By requester; replaced when there are more. A domain of -1 is not known. */
  domainOf: Int32Array = new Int32Array(64).fill(-1);
  tagOf: Int32Array = new Int32Array(64);
  readonly tablesOf: (PageTables | undefined)[] = [];
  readonly #spaces = new PairIndex('address spaces');
  readonly #pool = new TablePool();
  readonly #byRequester: boolean;
  readonly #grown: () => void;

  /** `grown` is told that arrays by requester have twice the length from now on. */
  constructor(profile: HardwareProfile, grown: () => void) {
    this.formats = formatsOfProfile(profile);
    this.guests = profile.architecture === 'smmuv3' || profile.architecture === 'riscv';
    this.#byRequester = profile.iotlb === 'qemu-vtd' || profile.iotlb === 'qemu-amd';
    this.#grown = grown;
  }

  /** Number of a requester. */
  of(rid: RequesterId, pasid: number): number {
    const known = this.requesters.count;
    const requester = this.requesters.of(rid, pasid);
    if (requester === known) {
      if (requester === this.domainOf.length) this.#grow(requester * 2);
      this.attach(requester, -1);
    }
    return requester;
  }

  attach(requester: number, domain: DomainId): void {
    this.domainOf[requester] = domain;
    this.tagOf[requester] = this.#byRequester ? requester : this.#tag(requester, domain);
    this.tablesOf[requester] = this.tables.get(domain);
  }

  /** The domain's page tables, made where there are none. */
  tablesFor(domain: DomainId): PageTables {
    let found = this.tables.get(domain);
    if (found === undefined) {
      found = new PageTables(this.#pool, this.isGuest(domain) ? this.formats.guest : this.formats.own);
      this.tables.set(domain, found);
      for (let r = 0; r < this.requesters.count; r++) if (this.domainOf[r] === domain) this.tablesOf[r] = found;
    }
    return found;
  }

  /** Something was ever attached to the domain, or mapped in it. */
  knows(domain: DomainId): boolean {
    return this.tables.has(domain) || this.domainOf.indexOf(domain) >= 0;
  }

  /** Tag of second-stage translations of a domain. */
  guestTag(domain: DomainId): number {
    return FIRST_SPACE + this.#spaces.of(domain, -1);
  }

  /** Domains without ASID or PSCID are of a second stage alone. */
  isGuest(domain: DomainId): boolean {
    return this.guests && (domain & 0xffff) === 0 && domain !== 0;
  }

  #tag(requester: number, domain: DomainId): number {
    // without a domain the requester is its own address space, told from real ones by its sign
    if (domain === -1) return -1 - requester;
    const pasid = this.guests ? -1 : this.requesters.pasid[requester]!;
    // a domain below 2^16 is its own number, which a set index that is known to use it needs
    return pasid < 0 && domain >>> 16 === 0 ? domain : FIRST_SPACE + this.#spaces.of(domain, pasid);
  }

  #grow(length: number): void {
    const domains = new Int32Array(length).fill(-1);
    domains.set(this.domainOf);
    this.domainOf = domains;
    const tags = new Int32Array(length);
    tags.set(this.tagOf);
    this.tagOf = tags;
    this.#grown();
  }
}
