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
  /** Its last request came. */
  closed: boolean;
  /** A response that came before its last request; -1 without. */
  answeredAt: Nanoseconds;
}

/**
 * A driver hands a request on before it tells of it in the trace (drivers/iommu/intel/prq.c): another CPU may answer in between,
 * and so long at most.
 */
const MOST_EARLY: Nanoseconds = 100_000_000;

/** Groups that are open at once at most; older ones are given up, so that hostile input can't fill memory. */
const MOST_OPEN = 65_536;

/**
 * Joins page requests with their responses: a response answers the group of its requester, PASID and index (PCIe 10.4.1). A request
 * behind an answered group of the same index begins a new one.
 */
export class PageRequestSpans {
  readonly #open = new Map<number, OpenGroup>();
  /** Responses to nothing, by group, that may be those of requests to come: when, and how long behind the group's newest answer. */
  readonly #early = new Map<number, { readonly at: Nanoseconds; readonly behind: Nanoseconds }>();
  readonly #newest = new Map<number, Nanoseconds>();
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
    const last = (access & ACCESS.last) !== 0;
    let open = this.#open.get(key);
    if (open === undefined) {
      if (this.#open.size >= MOST_OPEN) {
        const [oldest] = this.#open.keys();
        if (oldest !== undefined) this.#open.delete(oldest);
        this.givenUp++;
      }
      open = { requests: 0, newest: time, closed: false, answeredAt: -1 };
      this.#open.set(key, open);
    }
    open.requests++;
    open.newest = time;
    open.closed ||= last;
    if (!last) return;
    const early = this.#early.get(key);
    this.#early.delete(key);
    // What is nearer to an answer before it is a second one of that.
    if (open.answeredAt < 0 && early !== undefined && time - early.at <= Math.min(MOST_EARLY, early.behind)) {
      this.orphans--;
      open.answeredAt = early.at;
    }
    if (open.answeredAt >= 0) this.#close(key, open, { rid, pasid, group }, open.answeredAt);
  }

  response(rid: RequesterId, pasid: number, group: number, time: Nanoseconds): void {
    this.responses++;
    const key = keyOf(rid, pasid, group);
    const open = this.#open.get(key);
    if (open === undefined) {
      this.orphans++;
      if (this.#early.size >= MOST_OPEN) this.#early.clear();
      this.#early.set(key, { at: time, behind: time - (this.#newest.get(key) ?? Number.NEGATIVE_INFINITY) });
      return;
    }
    if (open.closed) this.#close(key, open, { rid, pasid, group }, time);
    else if (open.answeredAt >= 0) this.orphans++;
    else open.answeredAt = time;
  }

  #close(
    key: number,
    { requests, newest }: OpenGroup,
    of: { readonly rid: RequesterId; readonly pasid: number; readonly group: number },
    at: Nanoseconds,
  ): void {
    this.#open.delete(key);
    if (this.#newest.size >= MOST_OPEN) this.#newest.clear();
    this.#newest.set(key, at);
    this.#answered({ ...of, requests, ns: Math.max(0, at - newest), at });
  }
}

/** 32 + 21 + 9 bits would be too many for a double: stream ids are taken modulo 2^22. */
function keyOf(rid: RequesterId, pasid: number, group: number): number {
  return ((rid & 0x3f_ffff) * 0x20_0000 + (pasid + 1)) * 0x200 + (group & 0x1ff);
}
