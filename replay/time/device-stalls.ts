import type { Nanoseconds, PageNumber, RequesterId } from '../../traces/units.ts';
import type { DeviceStall } from '../results.ts';

interface Device {
  requests: number;
  walks: number;
  reads: number;
  merged: number;
  waitNs: Nanoseconds;
  stallNs: Nanoseconds;
  /** When the newest request that had to wait was made. */
  begun: Nanoseconds;
  /** All that is under way is done. */
  busyUntil: Nanoseconds;
  /** When each of the newest requests is done, by number of the request modulo their most. */
  readonly done: Float64Array;
  next: number;
  /** Walks under way: page, domain, and when they end. No more than requests under way. */
  under: number;
  readonly pages: Float64Array;
  readonly domains: Int32Array;
  readonly ends: Float64Array;
}

/**
 * How long devices wait for translations, with requests at the trace's own times: a miss waits for its walk, a request for a page
 * whose walk is under way waits for that one, a hit waits for nothing; a device that has as many requests under way as it may
 * waits for the oldest before it makes another.
 */
export class DeviceStalls {
  readonly #readNs: Nanoseconds;
  readonly #most: number;
  readonly #devices = new Map<RequesterId, Device>();
  #rid: RequesterId = -1;
  #device: Device | undefined;

  /** `readNs`: one table read of a walk; `most`: requests that a device has under way at most. */
  constructor(readNs: Nanoseconds, most: number) {
    this.#readNs = Math.round(readNs);
    this.#most = Math.max(1, Math.floor(most));
  }

  /** One request, and the table entries that its translation had read: 0 for a hit. */
  request(time: Nanoseconds, rid: RequesterId, domain: number, page: PageNumber, walkReads: number): void {
    const device = this.#of(rid);
    device.requests++;
    if (walkReads === 0 && device.busyUntil <= time) return;
    const slot = device.next++ % this.#most;
    // requests are made in order
    const begin = Math.max(time, device.begun, device.done[slot]!); // in range
    device.begun = begin;
    let done = begin;
    const under = this.#underWay(device, domain, page, begin);
    if (under > begin) {
      done = under;
      device.merged++;
    } else if (walkReads > 0) {
      done = begin + walkReads * this.#readNs;
      device.walks++;
      device.reads += walkReads;
      const place = device.under++;
      device.pages[place] = page;
      device.domains[place] = domain;
      device.ends[place] = done;
    }
    device.done[slot] = done;
    if (done <= time) return;
    device.waitNs += done - time;
    device.stallNs += Math.max(0, done - Math.max(time, device.busyUntil));
    if (done > device.busyUntil) device.busyUntil = done;
  }

  get stallNs(): Nanoseconds {
    let sum = 0;
    for (const device of this.#devices.values()) sum += device.stallNs;
    return sum;
  }

  /** By requester, those that waited longest first; as many as `most`. */
  result(most: number): DeviceStall[] {
    return [...this.#devices]
      .map(([rid, { requests, walks, reads, merged, waitNs, stallNs }]) => ({
        rid,
        requests,
        walks,
        walkReads: reads,
        merged,
        waitNs,
        stallNs,
      }))
      .sort((a, b) => b.stallNs - a.stallNs || a.rid - b.rid)
      .slice(0, most);
  }

  /** When the walk for a page ends that is under way at `now`; -1 if there is none. Forgets those that are over. */
  #underWay(device: Device, domain: number, page: PageNumber, now: Nanoseconds): Nanoseconds {
    const { domains, ends, pages } = device;
    let end = -1;
    let kept = 0;
    for (let i = 0; i < device.under; i++) {
      const until = ends[i]!; // in range, like the others
      if (until <= now) continue;
      if (pages[i] === page && domains[i] === domain) end = until;
      pages[kept] = pages[i]!;
      domains[kept] = domains[i]!;
      ends[kept++] = until;
    }
    device.under = kept;
    return end;
  }

  #of(rid: RequesterId): Device {
    if (this.#device !== undefined && this.#rid === rid) return this.#device;
    let device = this.#devices.get(rid);
    if (device === undefined) {
      device = {
        requests: 0,
        walks: 0,
        reads: 0,
        merged: 0,
        waitNs: 0,
        stallNs: 0,
        begun: Number.NEGATIVE_INFINITY,
        busyUntil: Number.NEGATIVE_INFINITY,
        done: new Float64Array(this.#most).fill(Number.NEGATIVE_INFINITY),
        next: 0,
        under: 0,
        pages: new Float64Array(this.#most),
        domains: new Int32Array(this.#most),
        ends: new Float64Array(this.#most),
      };
      this.#devices.set(rid, device);
    }
    this.#rid = rid;
    this.#device = device;
    return device;
  }
}
