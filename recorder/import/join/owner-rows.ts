import { ABSENT } from '../../../traces/units.ts';
import type { DomainId, RequesterId } from '../../../traces/units.ts';
import { enlarged } from './enlarged.ts';

/**
 * How the owner of a map or unmap was found out.
 * - `dmaApi`: the `dma:*` event of the same task on the same CPU names the device.
 * - `access`: a device translated through it: requester, page and output page fit.
 * - `attach`: made for a device while it was being attached, or by a task that attached one device itself.
 * - `pair`: the other end of its life has a known owner.
 * - `burst`: between neighbours on the same task and CPU that belong to one domain.
 * - `elimination`: every other domain in use is ruled out.
 * - `flush`: the invalidation that follows an unmap names the domain.
 * - `request`: so does the batch of commands that it made the driver send, found by what it names or in the order of things.
 */
export const EVIDENCE = {
  none: 0,
  dmaApi: 1,
  access: 2,
  attach: 3,
  pair: 4,
  burst: 5,
  elimination: 6,
  flush: 7,
  request: 8,
} as const;
export const EVIDENCE_NAMES = [
  'none',
  'dmaApi',
  'access',
  'attach',
  'pair',
  'burst',
  'elimination',
  'flush',
  'request',
] as const;

/** Rows that there is room for at first. */
const FIRST = 1024;

/**
 * Labels of one stream's rows, 18 bytes each, by row in the whole trace. Rows of other origins than `iommu` have `foreign`.
 * The arrays are longer than `length`, and are replaced when they are full.
 */
export class OwnerRows {
  length = 0;
  domain = new Int32Array(FIRST);
  device = new Int32Array(FIRST);
  evidence = new Uint8Array(FIRST);
  /** Domain that an invalidation right after (or, in caching mode, of) this row named; -1 for none. */
  flushed = new Int32Array(FIRST);
  /** `DomainTable.domainOfTask` of the row's task: -1 attaches nothing, -2 not clear. */
  task = new Int32Array(FIRST);
  /** 1: a row of another origin; it keeps what its source said. */
  foreign = new Uint8Array(FIRST);
  /** Labels that contradict what was known; the first known is kept. */
  conflicts = 0;

  add(foreign: boolean, domain: DomainId, device: RequesterId, task: DomainId): void {
    const row = this.length++;
    if (row === this.domain.length) this.#grow();
    this.domain[row] = domain;
    this.device[row] = device;
    this.evidence[row] = EVIDENCE.none;
    this.flushed[row] = ABSENT;
    this.task[row] = task;
    this.foreign[row] = foreign ? 1 : 0;
  }

  #grow(): void {
    this.domain = enlarged(this.domain, Int32Array);
    this.device = enlarged(this.device, Int32Array);
    this.evidence = enlarged(this.evidence, Uint8Array);
    this.flushed = enlarged(this.flushed, Int32Array);
    this.task = enlarged(this.task, Int32Array);
    this.foreign = enlarged(this.foreign, Uint8Array);
  }

  /** True if the row now has this owner; false if another one was known. */
  label(row: number, domain: DomainId, device: RequesterId, evidence: number): boolean {
    const known = this.domain[row]!;
    const knownDevice = this.device[row]!;
    if (!compatible(known, knownDevice, domain, device)) {
      this.conflicts++;
      return false;
    }
    if (known < 0 && domain >= 0) {
      this.domain[row] = domain;
      this.evidence[row] = evidence;
    }
    if (knownDevice < 0 && device >= 0) {
      this.device[row] = device;
      if (this.evidence[row] === EVIDENCE.none) this.evidence[row] = evidence;
    }
    return true;
  }
}

/** The domain of a live map whose domain id was given back: it is no other domain's, and has no id any more. */
export const RELEASED = -2;

/** May two owners be the same? Domains decide where both are known, else devices. */
export function compatible(domain: DomainId, device: RequesterId, domain2: DomainId, device2: RequesterId): boolean {
  if (domain === RELEASED || domain2 === RELEASED) return domain === domain2 || domain === -1 || domain2 === -1;
  if (domain >= 0 && domain2 >= 0) return domain === domain2;
  if (device >= 0 && device2 >= 0) return device === device2;
  return true;
}

/** Are two owners known to be the same? */
export function same(domain: DomainId, device: RequesterId, domain2: DomainId, device2: RequesterId): boolean {
  if (domain >= 0 && domain2 >= 0) return domain === domain2;
  return domain !== RELEASED && domain2 !== RELEASED && device >= 0 && device === device2;
}
