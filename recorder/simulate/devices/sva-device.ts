import type { Random } from '../../../traces/random.ts';
import { ACCESS } from '../../../traces/schema.ts';
import type { PageNumber } from '../../../traces/units.ts';
import { scatteredPage } from '../scattered-page.ts';
import type { Tenant } from '../tenant.ts';
import { domainOf } from '../vtd-guest.ts';
import type { GuestDevice, VtdGuest } from '../vtd-guest.ts';
import { ZipfSampler, permutation } from '../zipf-sampler.ts';

/** First page of what a process shares: any place above the first GiB will do. */
const FIRST_PAGE = 0x100000;
const ACCESS_NS = 50;
/** Between two requests of one group. */
const REQUEST_NS = 500;
const MAP_NS = 300;
const UNMAP_NS = 500;
const TASK = 100;
const SUCCESS = 0;
const INVALID = 1;

/** Processes that share their memory with one device; all are settings of the workload. */
export interface SvaShape {
  readonly processes: number;
  /** Pages that a process shares, and of them those that may be present at a time. */
  readonly pages: number;
  readonly resident: number;
  /** Exponent of the popularity of pages. */
  readonly alpha: number;
  /** Pages at most that one group asks for: the missing one and those behind it. */
  readonly group: number;
  /** Share of the groups that are refused. */
  readonly refused: number;
  /** Mean ns from a request to its answer, and between accesses. */
  readonly latency: number;
  readonly gap: number;
}

interface Process {
  readonly pasid: number;
  readonly caller: GuestDevice;
  /** 1 for pages that are present. */
  readonly present: Uint8Array;
  /** Present pages in the order in which they came. */
  readonly oldest: number[];
}

/**
 * One device that processes share their address spaces with, each under a PASID of its own. An access to a page that isn't present
 * becomes a group of page requests; the answer comes after the pages are mapped, or refuses. What is resident too long goes.
 */
export class SvaDevice implements Tenant {
  readonly #guest: VtdGuest;
  readonly #shape: SvaShape;
  readonly #random: Random;
  readonly #processes: Process[];
  readonly #sampler: ZipfSampler;
  readonly #places: Int32Array;
  #group = 0;
  #seq = 0;

  constructor(guest: VtdGuest, rid: number, shape: SvaShape, random: Random) {
    this.#guest = guest;
    this.#shape = shape;
    this.#random = random;
    this.#sampler = new ZipfSampler(shape.pages, shape.alpha);
    this.#places = permutation(shape.pages, random);
    this.#processes = Array.from({ length: shape.processes }, (_, i) => ({
      pasid: i + 1,
      caller: { rid, domain: domainOf(i + 1), cpu: 0, task: TASK + i },
      present: new Uint8Array(shape.pages),
      oldest: [],
    }));
  }

  *start(): Generator<void> {
    const [first] = this.#processes;
    if (first === undefined) return;
    this.#guest.attach({ ...first.caller, domain: domainOf(0) }, 0);
    for (const { caller, pasid } of this.#processes) {
      this.#guest.attachPasid(caller, pasid);
      yield;
    }
  }

  /** One access, with the requests that it needs. */
  step(): void {
    const random = this.#random;
    const process = this.#processes[random.below(this.#processes.length)];
    if (process === undefined) return;
    this.#guest.pass(1 + random.below(2 * this.#shape.gap));
    const k = this.#places[this.#sampler.next(random)] ?? 0;
    const access = random.chance(0.5) ? ACCESS.write : ACCESS.read;
    if (process.present[k] === 0 && !this.#request(process, k)) return;
    const { caller, pasid } = process;
    this.#guest.dma(caller, FIRST_PAGE + k, this.#physOf(pasid, k), 0, 64, access, pasid);
    this.#guest.pass(ACCESS_NS);
  }

  /** False where the group is refused. */
  #request({ caller, pasid, present, oldest }: Process, k: number): boolean {
    const { group, pages, refused, latency, resident } = this.#shape;
    const guest = this.#guest;
    const random = this.#random;
    const wanted = [k];
    const most = 1 + random.below(group);
    while (wanted.length < most && k + wanted.length < pages && present[k + wanted.length] === 0) {
      wanted.push(k + wanted.length);
    }
    this.#group = (this.#group + 1) % 512;
    const asked = guest.now;
    for (const [i, at] of wanted.entries()) {
      const last = i === wanted.length - 1 ? ACCESS.last : 0;
      guest.pageRequest(caller, pasid, this.#group, FIRST_PAGE + at, ACCESS.read | ACCESS.write | last, this.#seq++);
      guest.pass(REQUEST_NS);
    }
    guest.pass(1 + random.below(2 * latency));
    const allowed = !random.chance(refused);
    if (allowed) {
      for (const at of wanted) {
        guest.map(caller, FIRST_PAGE + at, this.#physOf(pasid, at), 1, ACCESS.read | ACCESS.write);
        guest.pass(MAP_NS);
        present[at] = 1;
        oldest.push(at);
      }
    }
    guest.pageResponse(caller, pasid, this.#group, allowed ? SUCCESS : INVALID, guest.now - asked);
    guest.pass(REQUEST_NS);
    while (oldest.length > resident) this.#evict(caller, present, oldest);
    return allowed;
  }

  #evict(caller: GuestDevice, present: Uint8Array, oldest: number[]): void {
    const at = oldest.shift();
    if (at === undefined) return;
    present[at] = 0;
    const page = FIRST_PAGE + at;
    this.#guest.unmap(caller, page, 1);
    this.#guest.pass(UNMAP_NS);
  }

  #physOf(pasid: number, k: number): PageNumber {
    return scatteredPage(pasid, k);
  }
}
