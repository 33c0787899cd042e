import type { DomainId, Nanoseconds, PageNumber, RequesterId } from '../../../traces/units.ts';
import { Contests } from './contests.ts';
import type { SettledCounts } from './contests.ts';
import type { DomainTable } from './domains.ts';
import { IntList } from './int-list.ts';
import { LiveMaps } from './live-maps.ts';
import { EVIDENCE, OwnerRows } from './owner-rows.ts';

/** The maps of one page into two domains by one call follow each other this closely. */
const TWINS: Nanoseconds = 10_000_000;

/** What an access found among the live maps. */
export const ACCESS_FOUND = { none: 0, map: 1, otherOwner: 2 } as const;

/** What an access shows of its map. Page numbers. */
export interface Translation {
  readonly page: PageNumber;
  readonly out: PageNumber;
  /** Pages from `out` on in any of which the output lies. */
  readonly span: number;
  /** The hardware read the page table for it, so that the map was live; a cached translation may outlive its map. */
  readonly walked: boolean;
}

/**
 * The page-owner table: which maps are live, which unmap closes which of them, and whose they are. Events come in time
 * order; what later events prove about earlier ones (an access after an unmap shows which of two maps it did not close) is
 * carried back.
 */
export class MapOwners {
  readonly maps = new OwnerRows();
  readonly unmaps = new OwnerRows();
  /** Unmap row that closed each map row; -1 while none has. */
  readonly closedBy = new IntList();
  readonly live = new LiveMaps();
  readonly #contests: Contests;
  readonly #domains: DomainTable;
  readonly #here: number[] = [];
  readonly #twins: number[] = [];
  /** When domains gave their ids back, as the numbers of map and unmap rows before. */
  readonly #releases = new Map<DomainId, { maps: number; unmaps: number }[]>();
  /** Slot of the newest map. */
  newestSlot = -1;
  /** Accesses whose map belongs to another domain by other evidence. */
  otherOwner = 0;

  constructor(domains: DomainTable) {
    this.#domains = domains;
    this.#contests = new Contests(this.live, this.maps, this.unmaps, this.closedBy);
  }

  get settled(): SettledCounts {
    return this.#contests.settled;
  }

  /** A row that is not of the iommu core: numbered only. */
  foreignMap(domain: DomainId, device: RequesterId): void {
    this.maps.add(true, domain, device, -1);
    this.closedBy.push(-1);
  }

  foreignUnmap(domain: DomainId, device: RequesterId): void {
    this.unmaps.add(true, domain, device, -1);
  }

  /** Enters a map; returns its slot in the table of live maps. */
  map(page: PageNumber, pages: number, phys: PageNumber, time: Nanoseconds, actor: number, task: number): number {
    const row = this.closedBy.length;
    this.maps.add(false, -1, -1, this.#domains.domainOfTask(task));
    this.closedBy.push(-1);
    const slot = this.live.add(page, pages, phys, row);
    this.live.actor[slot] = actor;
    this.live.task[slot] = task;
    this.live.time[slot] = time;
    this.newestSlot = slot;
    return slot;
  }

  /** Enters an unmap; returns its row. */
  unmap(page: PageNumber, pages: number, time: Nanoseconds, actor: number, task: number): number {
    const row = this.unmaps.length;
    this.unmaps.add(false, -1, -1, this.#domains.domainOfTask(task));
    this.#contests.settleUntil(time);
    this.#contests.unmap(row, page, pages, time, actor);
    return row;
  }

  /** Says whose map `row` is. `slot` is where it lived when it was entered. */
  labelMap(row: number, slot: number, domain: DomainId, device: RequesterId, evidence: number): void {
    if (!this.maps.label(row, domain, device, evidence)) return;
    if (this.live.live[slot] !== 1 || this.live.row[slot] !== row) return;
    this.#contests.labelled(slot, domain, device, evidence);
    if (domain >= 0 && evidence !== EVIDENCE.elimination) this.#eliminate(slot, domain);
  }

  /**
   * A task that works with two domains and maps a page twice, as IOMMUFD does for every domain of an address space: one is
   * known, so the other map is the other domain's.
   */
  #eliminate(slot: number, domain: DomainId): void {
    const { live } = this;
    if (live.live[slot] !== 1) return;
    const task = live.task[slot]!;
    const twin = this.#domains.otherDomainOfTask(task, domain);
    if (twin < 0) return;
    const page = live.page[slot]!;
    const here = this.#twins;
    const n = live.overlapping(page, 1, here);
    for (let k = 0; k < n; k++) {
      const other = here[k]!;
      if (other === slot || live.task[other] !== task || live.domain[other] !== -1 || live.page[other] !== page)
        continue;
      if (Math.abs(live.time[other]! - live.time[slot]!) > TWINS) continue;
      this.labelMap(live.row[other]!, other, twin, -1, EVIDENCE.elimination);
      return;
    }
  }

  labelUnmap(row: number, domain: DomainId, device: RequesterId, evidence: number): void {
    this.#contests.labelUnmap(row, domain, device, evidence);
  }

  /**
   * An invalidation of `domain` followed this unmap. Kept apart, to be used if nothing else is known; `decide`: also to choose
   * between maps that it may have closed.
   */
  flushedUnmap(row: number, domain: DomainId, decide: boolean): void {
    this.unmaps.flushed[row] = domain;
    if (decide) this.#contests.flushed(row, domain);
  }

  flushedMap(row: number, domain: DomainId): void {
    this.maps.flushed[row] = domain;
  }

  /** A device made this translation. `domain` is -1 where the source did not say. */
  access(device: RequesterId, domain: DomainId, translation: Translation, time: Nanoseconds): number {
    const { page, out, span, walked } = translation;
    const { live } = this;
    const here = this.#here;
    const n = live.find(page, here);
    const owner = domain >= 0 ? domain : this.#domains.domainOf(device);
    // A live map of the same owner; else the newest that may be its: its own older one may be closed by now; else that.
    let chosen = -1;
    let inDoubt = -1;
    let others = 0;
    for (let k = 0; k < n; k++) {
      const slot = here[k]!;
      const beyond = live.phys[slot]! + (page - live.page[slot]!) - out;
      if (beyond < 0 || beyond >= span) continue;
      const known = live.domain[slot]!;
      if (owner >= 0 ? known === owner : known >= 0 && this.#domains.uses(device, known)) {
        if (live.contests[slot] === 0) {
          chosen = slot;
          break;
        }
        if (inDoubt < 0 || live.row[slot]! > live.row[inDoubt]!) inDoubt = slot;
      } else if (known !== -1) others++;
      else if (chosen < 0 || live.row[slot]! > live.row[chosen]!) chosen = slot;
    }
    if (chosen < 0) chosen = inDoubt;
    if (chosen < 0) {
      if (others === 0) return ACCESS_FOUND.none;
      this.otherOwner++;
      return ACCESS_FOUND.otherOwner;
    }
    live.lastAccess[chosen] = time;
    if (owner >= 0 && live.domain[chosen] !== owner) {
      this.labelMap(live.row[chosen]!, chosen, owner, device, EVIDENCE.access);
    }
    if (walked && live.live[chosen] === 1 && live.contests[chosen]! > 0) this.#contests.alive(chosen, time);
    return ACCESS_FOUND.map;
  }

  /** The last cache tag of a domain is gone: its id may be given to another. */
  release(domain: DomainId): void {
    const at = { maps: this.closedBy.length, unmaps: this.unmaps.length };
    const list = this.#releases.get(domain);
    if (list === undefined) this.#releases.set(domain, [at]);
    else list.push(at);
    this.#contests.release(domain);
  }

  /** Did this domain give its id back between a map and the unmap that closed it? */
  releasedBetween(domain: DomainId, map: number, unmap: number): boolean {
    const list = this.#releases.get(domain);
    return list?.some((release) => release.maps > map && release.unmaps <= unmap) ?? false;
  }

  /** Is there a live map of this page with this output? */
  holds({ page, out, span }: Translation): boolean {
    const here = this.#here;
    const n = this.live.find(page, here);
    for (let k = 0; k < n; k++) {
      const slot = here[k]!;
      const beyond = this.live.phys[slot]! + (page - this.live.page[slot]!) - out;
      if (beyond >= 0 && beyond < span) return true;
    }
    return false;
  }

  /** Decides what is still open. */
  finish(): void {
    this.#contests.settleUntil(Number.POSITIVE_INFINITY);
  }
}
