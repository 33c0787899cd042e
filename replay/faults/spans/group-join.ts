import { ACCESS } from '../../../traces/schema.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { eventOf } from './page-request.ts';
import type { GroupAnswer, PageRequest, PriFinding, RequestGroup } from './page-request.ts';
import { RequestOrder } from './request-order.ts';

/**
 * A response may come so long before the request that it answers: the driver hands a request on before it says so in the trace
 * (drivers/iommu/intel/prq.c, `prq_event_thread`), and its thread may be interrupted there.
 */
const MOST_EARLY: Nanoseconds = 100_000_000;
/** Below this it is nothing to tell of. */
const USUAL_EARLY: Nanoseconds = 1_000_000;

type Item = { readonly request: PageRequest } | { readonly answer: GroupAnswer };

/**
 * Joins page requests and responses of the hardware's side. A group is all requests of a requester with one index up to one that
 * is the last (PCIe 10.4.1; the PASID is not compared, drivers/iommu/io-pgfault.c), and a requester uses no index again before
 * its group is answered.
 */
export class GroupJoin {
  readonly findings: PriFinding[];
  readonly #orders = new Map<string, RequestOrder>();
  /** By requester and index, in trace order. */
  readonly #items = new Map<number, Item[]>();
  requests = 0;
  duplicateRequests = 0;
  /** Requests that end no group and ask for nothing (PASID stop): no one answers them. */
  stopMarkers = 0;
  answers = 0;
  /** Responses to nothing that was asked, each with the response before it of the same requester, PASID and index. */
  readonly spare: { readonly answer: GroupAnswer; readonly last: GroupAnswer | undefined }[] = [];

  constructor(findings: PriFinding[]) {
    this.findings = findings;
  }

  /** Requests that came before the trace began, by the driver's own count; 0 where none did, or nobody counts. */
  get before(): number {
    let sum = 0;
    for (const { first } of this.#orders.values()) sum += Math.max(0, first);
    return sum;
  }

  request(request: PageRequest): void {
    this.requests++;
    let order = this.#orders.get(request.unit);
    if (order === undefined) {
      order = new RequestOrder(this.findings);
      this.#orders.set(request.unit, order);
    }
    const verdict = order.take(request);
    if (verdict === 'duplicate') {
      this.duplicateRequests++;
      return;
    }
    if ((request.access & (ACCESS.last | ACCESS.read | ACCESS.write | ACCESS.execute)) === ACCESS.last) {
      this.stopMarkers++;
      return;
    }
    const items = this.#itemsOf(request.rid, request.index);
    items.splice(verdict === 'late' ? placeOf(items, request) : items.length, 0, { request });
  }

  answer(answer: GroupAnswer): void {
    this.answers++;
    this.#itemsOf(answer.rid, answer.index).push({ answer });
  }

  /** All groups, by their first event. */
  finish(): RequestGroup[] {
    for (const order of this.#orders.values()) order.finish();
    const groups: RequestGroup[] = [];
    for (const items of this.#items.values()) {
      // A source that shows no requests shows answers only: nothing is odd about them.
      if (this.requests === 0) for (const item of items) if ('answer' in item) groups.push(answeredOnly(item.answer));
      if (this.requests > 0) this.#resolve(items, groups);
    }
    return groups.sort((a, b) => eventOf(a) - eventOf(b));
  }

  #itemsOf(rid: number, index: number): Item[] {
    const key = (rid >>> 0) * 0x1_0000 + (index & 0xffff);
    let items = this.#items.get(key);
    if (items === undefined) {
      items = [];
      this.#items.set(key, items);
    }
    return items;
  }

  /** Requests and responses of one index in their order: G R G R ..., and what is odd about it. */
  #resolve(items: readonly Item[], groups: RequestGroup[]): void {
    let partial: PageRequest[] = [];
    const open = new Map<number, RequestGroup>();
    const newest = new Map<number, GroupAnswer>();
    const early = new Map<number, GroupAnswer>();
    const close = (closed: boolean): RequestGroup => {
      const last = partial.at(-1)!;
      const group = newGroup(partial, last, closed);
      groups.push(group);
      partial = [];
      return group;
    };
    items.forEach((item, i) => {
      if ('request' in item) {
        const { request } = item;
        partial.push(request);
        if ((request.access & ACCESS.last) === 0) return;
        const group = close(true);
        const before = open.get(request.pasid);
        if (before !== undefined) this.#superseded(before);
        open.delete(request.pasid);
        const answer = early.get(request.pasid);
        early.delete(request.pasid);
        if (answer === undefined) open.set(request.pasid, group);
        else {
          this.#answerEarly(group, answer);
          newest.set(request.pasid, answer);
        }
        return;
      }
      const { answer } = item;
      const group = open.get(answer.pasid);
      if (group !== undefined) {
        group.answer = answer;
        open.delete(answer.pasid);
        newest.set(answer.pasid, answer);
        return;
      }
      const last = newest.get(answer.pasid);
      if (isEarly(items, i, answer, last)) {
        early.set(answer.pasid, answer);
        return;
      }
      if (partial.some(({ pasid }) => pasid === answer.pasid)) {
        const cut = close(false);
        cut.answer = answer;
        newest.set(answer.pasid, answer);
        const event = eventOf(cut);
        this.findings.push({
          event,
          kind: 'request-without-last',
          what: `the last request of group ${cut.index} is not in the trace; event ${answer.event} answers it`,
          count: 1,
        });
        return;
      }
      this.spare.push({ answer, last });
    });
    for (const group of open.values()) this.#unanswered(group);
    if (partial.length > 0) this.#unanswered(close(false));
  }

  #superseded(group: RequestGroup): void {
    group.unanswered = 'index-used-again';
    this.findings.push({
      event: eventOf(group),
      kind: 'lost-response',
      what: `group ${group.index} has no response before the index is used again: it is not in the trace`,
      count: 1,
    });
  }

  #unanswered(group: RequestGroup): void {
    group.unanswered = 'open';
    const what = group.closed
      ? `group ${group.index} is never answered`
      : `group ${group.index} never gets its last request: nobody answers it`;
    this.findings.push({ event: eventOf(group), kind: 'unanswered', what, count: 1 });
  }

  #answerEarly(group: RequestGroup, answer: GroupAnswer): void {
    group.answer = answer;
    const ahead = (group.requests.at(-1)?.time ?? 0) - answer.submitted;
    if (ahead <= USUAL_EARLY) return;
    const what = `the response of group ${group.index} comes ${ahead} ns before its last request, event ${eventOf(group)}`;
    this.findings.push({ event: answer.event, kind: 'early-response', what, count: 1 });
  }
}

function newGroup(requests: PageRequest[], { rid, pasid, index }: PageRequest, closed: boolean): RequestGroup {
  return {
    requests,
    rid,
    pasid,
    index,
    closed,
    answer: undefined,
    delivery: undefined,
    unanswered: undefined,
    mixed: requests.some((request) => request.pasid !== pasid),
  };
}

function answeredOnly(answer: GroupAnswer): RequestGroup {
  const { rid, pasid, index } = answer;
  const nothing = { requests: [], closed: false, delivery: undefined, unanswered: undefined, mixed: false };
  return { ...nothing, rid, pasid, index, answer };
}

/** Where a late request belongs: before those that the driver counted after it. */
function placeOf(items: readonly Item[], { unit, seq }: PageRequest): number {
  let place = items.length;
  for (let at = items.length - 1; at >= 0; at--) {
    const item = items[at]!;
    if ('answer' in item) continue;
    if (item.request.unit !== unit || ((item.request.seq - seq) | 0) < 0) break;
    place = at;
  }
  return place;
}

/** Whether a response to nothing is that of the group that comes next, and no second one of the group before. */
function isEarly(items: readonly Item[], i: number, answer: GroupAnswer, last: GroupAnswer | undefined): boolean {
  let at = i + 1;
  let closing: PageRequest | undefined;
  for (; closing === undefined; at++) {
    const item = items[at];
    if (item === undefined || 'answer' in item) return false;
    const { request } = item;
    if (request.time - answer.submitted > MOST_EARLY) return false;
    if ((request.access & ACCESS.last) !== 0 && request.pasid === answer.pasid) closing = request;
  }
  for (let item = items[at]; item !== undefined; item = items[++at]) {
    if ('request' in item) {
      if (item.request.pasid === answer.pasid) break;
    } else if (item.answer.pasid === answer.pasid) return false;
  }
  return last === undefined || closing.time - answer.submitted < answer.submitted - last.submitted;
}
