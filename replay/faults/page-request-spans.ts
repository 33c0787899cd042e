import { ACCESS } from '../../traces/schema.ts';
import type { Nanoseconds, RequesterId } from '../../traces/units.ts';

/** A page request group that was answered. */
export interface AnsweredGroup {
  readonly rid: RequesterId;
  readonly pasid: number;
  readonly group: number;
  readonly requests: number;
  /** From the group's last request to its response: how long the device stood still after it had asked for all. */
  readonly ns: Nanoseconds;
  readonly at: Nanoseconds;
}

interface OpenGroup {
  requests: number;
  newest: Nanoseconds;
}

/** Groups that are open at once at most; older ones are given up, so that hostile input can't fill memory. */
const MOST_OPEN = 65_536;

/**
 * Joins page requests with their responses: a response answers the group of its requester, PASID and index (PCIe 10.4.1). A request
 * behind an answered group of the same index begins a new one.
 */
export class PageRequestSpans {
  readonly #open = new Map<number, OpenGroup>();
  readonly #answered: (group: AnsweredGroup) => void;
  requests = 0;
  /** Requests that end their group. */
  lastRequests = 0;
  responses = 0;
  /** Responses to groups of which no request was seen. */
  orphans = 0;
  /** Groups that were given up because too many were open. */
  givenUp = 0;

  constructor(answered: (group: AnsweredGroup) => void) {
    this.#answered = answered;
  }

  /** Groups without a response so far. */
  get open(): number {
    return this.#open.size;
  }

  request(rid: RequesterId, pasid: number, group: number, access: number, time: Nanoseconds): void {
    this.requests++;
    if ((access & ACCESS.last) !== 0) this.lastRequests++;
    const key = keyOf(rid, pasid, group);
    const open = this.#open.get(key);
    if (open !== undefined) {
      open.requests++;
      open.newest = time;
      return;
    }
    if (this.#open.size >= MOST_OPEN) {
      const [oldest] = this.#open.keys();
      if (oldest !== undefined) this.#open.delete(oldest);
      this.givenUp++;
    }
    this.#open.set(key, { requests: 1, newest: time });
  }

  response(rid: RequesterId, pasid: number, group: number, time: Nanoseconds): void {
    this.responses++;
    const key = keyOf(rid, pasid, group);
    const open = this.#open.get(key);
    if (open === undefined) {
      this.orphans++;
      return;
    }
    this.#open.delete(key);
    this.#answered({ rid, pasid, group, requests: open.requests, ns: Math.max(0, time - open.newest), at: time });
  }
}

/** 32 + 21 + 9 bits would be too many for a double: stream ids are taken modulo 2^22. */
function keyOf(rid: RequesterId, pasid: number, group: number): number {
  return ((rid & 0x3f_ffff) * 0x20_0000 + (pasid + 1)) * 0x200 + (group & 0x1ff);
}
