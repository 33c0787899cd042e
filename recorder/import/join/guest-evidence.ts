import { ATTACH, CALL, ORIGIN, STREAM_ID } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import { pageNumber } from '../../../traces/units.ts';
import type { DomainId, Nanoseconds, PageNumber } from '../../../traces/units.ts';
import { CLAIM_WINDOW, DmaApi, bytesAt } from './dma-api.ts';
import { DomainTable } from './domains.ts';
import { enlarged } from './enlarged.ts';
import { MapOwners } from './map-owners.ts';
import { EVIDENCE } from './owner-rows.ts';

/** Direct (identity) maps are made just before their device is attached. */
const DIRECT_WINDOW: Nanoseconds = 10_000_000_000;

interface DirectMap {
  readonly row: number;
  readonly slot: number;
  readonly time: Nanoseconds;
}

/** Rows since the last flush at most. */
const SINCE_FLUSH = 4096;
const ROW = 4;

/** Maps or unmaps of one task on one CPU since its last flush. Its array stays when it is emptied. */
class SinceFlush {
  /** `ROW` numbers each: row, page, pages, time. */
  rows = new Float64Array(ROW);
  count = 0;

  push(row: number, page: PageNumber, pages: number, time: Nanoseconds): void {
    const at = this.count++ * ROW;
    if (at === this.rows.length) this.rows = enlarged(this.rows, Float64Array);
    const { rows } = this;
    rows[at] = row;
    rows[at + 1] = page;
    rows[at + 2] = pages;
    rows[at + 3] = time;
  }
}

interface Actor {
  readonly unmaps: SinceFlush;
  readonly maps: SinceFlush;
  /** The last event was a flush: the next map or unmap starts anew. */
  flushed: boolean;
}

/** CPUs whose last task is remembered. */
const KNOWN_CPUS = 1024;

/** Reads the guest's events, in order, for who owns which map. */
export class GuestEvidence {
  readonly domains = new DomainTable();
  readonly owners = new MapOwners(this.domains);
  readonly dmaApi: DmaApi;
  readonly #actors = new Map<number, number>();
  readonly #waiting: Actor[] = [];
  /** Identity maps by task, until the task attaches a device. */
  readonly #direct = new Map<number, DirectMap[]>();
  /** Domains that the flush events and invalidations of this trace name. */
  readonly flushedDomains = new Set<DomainId>();
  /** By device, then by domain. */
  readonly #votes = new Map<number, Map<DomainId, number>>();
  /** What was added to `flushedDomains` last. */
  #newestFlushed: DomainId = -1;
  #flushActor = -1;
  #flushTime: Nanoseconds = 0;
  readonly #taskOnCpu = new Float64Array(KNOWN_CPUS).fill(Number.NaN);
  readonly #actorOnCpu = new Int32Array(KNOWN_CPUS);

  readonly #useFlushes: boolean;

  /** `useFlushes`: flush events may decide between maps that an unmap may have closed. */
  constructor(useFlushes: boolean) {
    this.#useFlushes = useFlushes;
    this.dmaApi = new DmaApi({
      map: (row, slot, device) => {
        this.owners.labelMap(row, slot, this.#domain(device), device, EVIDENCE.dmaApi);
      },
      unmap: (row, _slot, device) => {
        this.#vote(device, this.owners.unmaps.flushed[row]!);
        this.owners.labelUnmap(row, this.#domain(device), device, EVIDENCE.dmaApi);
      },
    });
  }

  #domain(device: number): DomainId {
    const domain = this.domains.domainOf(device);
    return domain >= 0 ? domain : -1;
  }

  #vote(device: number, domain: DomainId): void {
    if (device < 0 || domain < 0) return;
    let votes = this.#votes.get(device);
    if (votes === undefined) {
      votes = new Map();
      this.#votes.set(device, votes);
    }
    votes.set(domain, (votes.get(domain) ?? 0) + 1);
  }

  /** The domain that nearly all flushes after a device's unmaps name; for devices whose attachment was not recorded. */
  votedDomain(device: number): DomainId {
    let best = -1;
    let most = 0;
    let all = 0;
    for (const [domain, count] of this.#votes.get(device) ?? []) {
      all += count;
      if (count > most) {
        most = count;
        best = domain;
      }
    }
    return most * 10 >= all * 9 ? best : -1;
  }

  /** Number of a (cpu, task): an interrupt handler counts as the task that it interrupts; task 0 runs on every CPU. */
  actorOf(cpu: number, task: number): number {
    // Mostly the task that was on this CPU before.
    const near = cpu >= 0 && cpu < KNOWN_CPUS;
    if (near && this.#taskOnCpu[cpu] === task) return this.#actorOnCpu[cpu]!;
    const actor = this.#actor(cpu, task);
    if (near) {
      this.#taskOnCpu[cpu] = task;
      this.#actorOnCpu[cpu] = actor;
    }
    return actor;
  }

  #actor(cpu: number, task: number): number {
    const key = (cpu + 1) * 0x1000000 + task;
    let actor = this.#actors.get(key);
    if (actor === undefined) {
      actor = this.#waiting.length;
      this.#actors.set(key, actor);
      this.#waiting.push({ unmaps: new SinceFlush(), maps: new SinceFlush(), flushed: false });
    }
    return actor;
  }

  /** One event of the guest's trace. Streams that say nothing about owners are passed over. */
  event(stream: number, segment: Segment, row: number, time: Nanoseconds, cpu: number, task: number): void {
    switch (stream) {
      case STREAM_ID.map:
        this.#map(segment, row, time, cpu, task);
        break;
      case STREAM_ID.unmap:
        this.#unmap(segment, row, time, cpu, task);
        break;
      case STREAM_ID.attach:
        this.#attach(segment, row, time, task);
        break;
      case STREAM_ID.flush:
        this.#flush(segment, row, time, cpu, task);
        break;
      case STREAM_ID.inv:
        this.#inv(segment, row, time, cpu, task);
        break;
      default:
    }
  }

  #map(segment: Segment, row: number, time: Nanoseconds, cpu: number, task: number): void {
    const { columns } = segment.rows.map;
    const origin = columns.origin[row] ?? 0;
    if (origin !== ORIGIN.iommu) {
      this.owners.foreignMap(columns.domain[row] ?? -1, columns.device[row] ?? -1);
      if (origin !== ORIGIN.dmaApi) return;
      const address = (columns.iovaHi[row]! >>> 0) * 0x100000000 + (columns.iovaLo[row]! >>> 0);
      const size = (columns.sizeHi[row]! >>> 0) * 0x100000000 + (columns.sizeLo[row]! >>> 0);
      const call = columns.call[row] ?? CALL.page;
      const list = bytesAt(columns.list, row);
      this.dmaApi.mapEvent(this.actorOf(cpu, task), call, columns.device[row] ?? -1, address, size, time, list);
      return;
    }
    const page = pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!);
    const phys = pageNumber(columns.physLo[row]!, columns.physHi[row]!);
    const pages = Math.max(1, pageNumber(columns.sizeLo[row]!, columns.sizeHi[row]!));
    const actor = this.actorOf(cpu, task);
    const slot = this.owners.map(page, pages, phys, time, actor, task);
    const mapRow = this.owners.live.row[slot]!;
    this.dmaApi.mapped(actor, page, pages, time, mapRow, slot);
    if (page === phys) {
      const map = { row: mapRow, slot, time };
      const list = this.#direct.get(task);
      if (list === undefined) this.#direct.set(task, [map]);
      else if (list.length < 4096) list.push(map);
    }
    const mine = this.#waiting[actor]!;
    if (mine.flushed || mine.maps.count >= SINCE_FLUSH) this.#startAnew(mine);
    mine.maps.push(mapRow, page, pages, time);
  }

  #unmap(segment: Segment, row: number, time: Nanoseconds, cpu: number, task: number): void {
    const { columns } = segment.rows.unmap;
    const origin = columns.origin[row] ?? 0;
    const size = (columns.sizeHi[row]! >>> 0) * 0x100000000 + (columns.sizeLo[row]! >>> 0);
    if (origin !== ORIGIN.iommu) {
      this.owners.foreignUnmap(columns.domain[row] ?? -1, columns.device[row] ?? -1);
      if (origin !== ORIGIN.dmaApi) return;
      const address = (columns.iovaHi[row]! >>> 0) * 0x100000000 + (columns.iovaLo[row]! >>> 0);
      const call = columns.call[row] ?? CALL.page;
      const list = bytesAt(columns.list, row);
      this.dmaApi.unmapEvent(this.actorOf(cpu, task), call, columns.device[row] ?? -1, address, size, time, list);
      return;
    }
    const page = pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!);
    // A huge page is unmapped whole, even if less was asked for.
    const unmapped = pageNumber(columns.unmappedLo[row]!, columns.unmappedHi[row]!);
    const pages = Math.max(1, Math.ceil(size / 4096), unmapped);
    const actor = this.actorOf(cpu, task);
    const unmapRow = this.owners.unmap(page, pages, time, actor, task);
    this.dmaApi.unmapped(actor, page, pages, time, unmapRow);
    const mine = this.#waiting[actor]!;
    if (mine.flushed || mine.unmaps.count >= SINCE_FLUSH) this.#startAnew(mine);
    mine.unmaps.push(unmapRow, page, pages, time);
  }

  /** The commands that the newest map (or unmap), in this row, made the driver send name its domain. */
  requested(isMap: boolean, row: number, domain: DomainId): void {
    this.flushedDomains.add(domain);
    if (isMap) {
      this.owners.flushedMap(row, domain);
      this.owners.labelMap(row, this.owners.newestSlot, domain, -1, EVIDENCE.request);
    } else {
      this.owners.flushedUnmap(row, domain, false);
      this.owners.labelUnmap(row, domain, -1, EVIDENCE.request);
    }
  }

  #startAnew(actor: Actor): void {
    actor.unmaps.count = 0;
    actor.maps.count = 0;
    actor.flushed = false;
  }

  #attach(segment: Segment, row: number, time: Nanoseconds, task: number): void {
    const { columns } = segment.rows.attach;
    const device = columns.device[row] ?? -1;
    const domain = this.domains.attach(
      columns.kind[row] ?? 0,
      task,
      time,
      device,
      columns.domain[row] ?? -1,
      columns.pasid[row] ?? 0,
    );
    // Printed before the count goes down; the device's own tags are not the domain's.
    if (columns.kind[row] === ATTACH.tagUnassign && columns.refs[row] === 1 && device < 0) {
      this.owners.release(columns.domain[row] ?? -1);
    }
    if (domain < 0) return;
    const direct = this.#direct.get(task);
    this.#direct.delete(task);
    for (const map of direct ?? []) {
      // Claimed maps have an owner by now; the rest was made for this attachment.
      if (time - map.time > DIRECT_WINDOW || this.owners.maps.domain[map.row]! >= 0) continue;
      this.owners.labelMap(map.row, map.slot, domain, -1, EVIDENCE.attach);
    }
  }

  #flush(segment: Segment, row: number, time: Nanoseconds, cpu: number, task: number): void {
    const { columns } = segment.rows.flush;
    const domain = columns.domain[row] ?? -1;
    if (domain < 0) return;
    this.#isFlushed(domain);
    const actor = this.actorOf(cpu, task);
    this.#flushActor = actor;
    this.#flushTime = time;
    const start = pageNumber(columns.startLo[row]!, columns.startHi[row]!);
    const end = pageNumber(columns.endLo[row]!, columns.endHi[row]!);
    // A flush of everything names no page: it is not that of one unmap.
    if (columns.op[row] === 2) return;
    this.#flushed(actor, domain, start, end - start + 1, time, columns.op[row] === 1);
  }

  #isFlushed(domain: DomainId): void {
    if (domain === this.#newestFlushed) return;
    this.#newestFlushed = domain;
    this.flushedDomains.add(domain);
  }

  /** The descriptors themselves, where no flush event came before them. */
  #inv(segment: Segment, row: number, time: Nanoseconds, cpu: number, task: number): void {
    const { columns } = segment.rows.inv;
    if ((columns.form[row] ?? 0) !== 0) return;
    const w0 = columns.w0Lo[row]!;
    const type = w0 & 0xf;
    if (type !== 2 && type !== 6) return;
    const domain = w0 >>> 16;
    if (((w0 >>> 4) & 3) === 1) return;
    this.#isFlushed(domain);
    if (((w0 >>> 4) & 3) !== 3) return;
    const actor = this.actorOf(cpu, task);
    if (this.#flushActor === actor && time - this.#flushTime <= 1_000_000) return;
    const w1 = columns.w1Lo[row]!;
    const pages = 2 ** Math.min(52, w1 & 0x3f);
    const page = Math.floor(pageNumber(w1, columns.w1Hi[row]!) / pages) * pages;
    this.#flushed(actor, domain, page, pages, time, false);
  }

  #flushed(actor: number, domain: DomainId, page: number, pages: number, time: Nanoseconds, maps: boolean): void {
    const mine = this.#waiting[actor]!;
    mine.flushed = true;
    const { rows, count } = maps ? mine.maps : mine.unmaps;
    for (let at = 0; at < count * ROW; at += ROW) {
      const start = rows[at + 1]!;
      if (time - rows[at + 3]! > CLAIM_WINDOW || start < page || start + rows[at + 2]! > page + pages) continue;
      if (maps) this.owners.flushedMap(rows[at]!, domain);
      else this.owners.flushedUnmap(rows[at]!, domain, this.#useFlushes);
    }
  }
}
