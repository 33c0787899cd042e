import type { Nanoseconds } from '../../../traces/units.ts';
import { NO_COOKIE, RECORD, RECORD_BYTES, RESPONSE_BYTES, readRecords, readResponses } from './fault-file.ts';
import { closedAt } from './page-request.ts';
import type { Delivery, FaultRecord, Moment, PriFinding, RequestGroup } from './page-request.ts';

/** A read or write of a fault queue's file that succeeded or failed. */
export interface FaultTransfer {
  readonly event: number;
  /** When it was entered: a read takes what is there then, a write is carried out before it returns. */
  readonly at: Moment;
  readonly returned: Nanoseconds;
  readonly pid: number;
  readonly task: number;
  readonly fd: number;
  /** Bytes, or -errno. */
  readonly ret: number;
  readonly write: boolean;
  readonly data: Uint8Array;
}

/** A group may be read so long before the trace says that its last request came (`GroupJoin`). */
const SLACK: Nanoseconds = 100_000_000;
/** Clocks of two sources agree so well. */
const UNCERTAIN: Nanoseconds = 1_000_000;

interface Queue {
  /** Deliveries that wait for their response, by cookie. */
  readonly waiting: Map<number, Delivery>;
  /** Records of a group of which the last one comes with the next row: sources may tell of a read record by record. */
  carried: FaultRecord[];
}

/**
 * Joins what user space read from fault queues and wrote back, by cookie, and both with the hardware's groups: by index, PASID
 * and pages, the oldest first (a queue is a FIFO). Sources that cut what was read show the first record of a read and how many
 * there were; the groups behind it are then the next ones, and cookies are those that the kernel gives: the lowest that is free.
 */
export class UserJoin {
  readonly #findings: PriFinding[];
  readonly #transfers: FaultTransfer[] = [];
  readonly #queues = new Map<string, Queue>();
  records = 0;
  reads = 0;
  writes = 0;
  responses = 0;
  refused = 0;
  /** Records of which less than flags to address is known. */
  cut = 0;

  constructor(findings: PriFinding[]) {
    this.#findings = findings;
  }

  transfer(transfer: FaultTransfer): void {
    this.#transfers.push(transfer);
  }

  /** Joins all with the groups of the hardware; those of which only user space knows are added to them. */
  finish(groups: RequestGroup[]): void {
    const index = new GroupIndex(groups);
    const hardware = groups.some(({ requests }) => requests.length > 0);
    for (const transfer of this.#transfers) {
      if (transfer.write) this.#write(transfer);
      else if (transfer.ret > 0) this.#read(transfer, index, hardware, groups);
    }
  }

  #queueOf({ pid, fd }: FaultTransfer): Queue {
    const key = `${pid} ${fd}`;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = { waiting: new Map(), carried: [] };
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #read(transfer: FaultTransfer, index: GroupIndex, hardware: boolean, groups: RequestGroup[]): void {
    this.reads++;
    const total = Math.floor(transfer.ret / RECORD_BYTES);
    this.records += total;
    const known = readRecords(transfer.data);
    let told = 0;
    const queue = this.#queueOf(transfer);
    let group = queue.carried;
    queue.carried = [];
    let newest: RequestGroup | undefined;
    for (const record of known) {
      group.push(record);
      told++;
      if ((record.flags & RECORD.last) === 0) continue;
      newest = this.#deliver(transfer, group, index, hardware, groups);
      group = [];
    }
    if (told >= total) {
      queue.carried = group;
      return;
    }
    this.cut += total - told;
    // The rest was cut: a group of which the beginning is known, and the groups behind it.
    let rest = total - told;
    if (group.length > 0) {
      newest = this.#deliver(transfer, group, index, hardware, groups);
      rest -= Math.max(0, (newest?.requests.length ?? group.length) - group.length);
    }
    while (rest > 0 && newest !== undefined) {
      const next = index.behind(newest, transfer.at.to + SLACK);
      if (next === undefined || next.requests.length > rest) break;
      rest -= next.requests.length;
      this.#attach(transfer, [], next);
      newest = next;
    }
  }

  #deliver(
    transfer: FaultTransfer,
    records: readonly FaultRecord[],
    index: GroupIndex,
    hardware: boolean,
    groups: RequestGroup[],
  ): RequestGroup | undefined {
    const found = index.find(records, transfer.at);
    if (found !== undefined) {
      this.#attach(transfer, records, found);
      return found;
    }
    const [first] = records;
    if (hardware) {
      const what = `group ${first?.index ?? '?'} was read, and no request of it is in the trace`;
      this.#findings.push({ event: transfer.event, kind: 'orphan-record', what, count: records.length });
    }
    const group: RequestGroup = {
      requests: [],
      rid: -1,
      pasid: first?.pasid ?? -1,
      index: first?.index ?? -1,
      closed: false,
      answer: undefined,
      delivery: undefined,
      unanswered: undefined,
      mixed: false,
    };
    groups.push(group);
    this.#attach(transfer, records, group);
    return group;
  }

  #attach(transfer: FaultTransfer, records: readonly FaultRecord[], group: RequestGroup): void {
    const { event, at, pid, fd } = transfer;
    const { waiting } = this.#queueOf(transfer);
    const recorded = records[0]?.cookie ?? NO_COOKIE;
    const cookie = recorded === NO_COOKIE ? lowestFree(waiting) : recorded;
    const before = waiting.get(cookie);
    if (before !== undefined) before.forgotten = true;
    const delivery: Delivery = { event, at, pid, fd, records, response: undefined, forgotten: false };
    waiting.set(cookie, delivery);
    group.delivery = delivery;
  }

  #write(transfer: FaultTransfer): void {
    this.writes++;
    const { event, at, returned, task, ret, data } = transfer;
    const responses = readResponses(data);
    if (ret < 0) {
      this.refused++;
      const [first] = responses;
      const what = `the kernel refuses the response to cookie ${first?.cookie ?? '?'}`;
      this.#findings.push({ event, kind: 'refused-write', what, count: 1 });
      return;
    }
    const { waiting } = this.#queueOf(transfer);
    for (const { cookie, code } of responses.slice(0, Math.floor(ret / RESPONSE_BYTES))) {
      this.responses++;
      const delivery = waiting.get(cookie);
      if (delivery === undefined) {
        const what = `the response to cookie ${cookie} answers nothing that was read`;
        this.#findings.push({ event, kind: 'orphan-write', what, count: 1 });
        continue;
      }
      waiting.delete(cookie);
      delivery.response = { event, at, returned, code, task };
    }
  }
}

function lowestFree(waiting: ReadonlyMap<number, unknown>): number {
  let cookie = 1;
  while (waiting.has(cookie)) cookie++;
  return cookie;
}

/** Groups in the order in which they were complete; those before `head` were read. */
interface GroupLine {
  readonly groups: RequestGroup[];
  head: number;
}

/** Groups that nobody has read yet. */
class GroupIndex {
  readonly #byIndex = new Map<string, GroupLine>();
  readonly #byDevice = new Map<number, GroupLine>();
  /** Requesters by IOMMUFD's device number, as they were found. */
  readonly #rids = new Map<number, number>();

  constructor(groups: readonly RequestGroup[]) {
    const closed = groups.filter(({ requests }) => requests.length > 0).sort((a, b) => closedAt(a) - closedAt(b));
    for (const group of closed) {
      lineOf(this.#byIndex, `${group.pasid} ${group.index}`).groups.push(group);
      lineOf(this.#byDevice, group.rid).groups.push(group);
    }
  }

  find(records: readonly FaultRecord[], at: Moment): RequestGroup | undefined {
    const last = records.at(-1);
    const line = last === undefined ? undefined : this.#byIndex.get(`${last.pasid} ${last.index}`);
    if (last === undefined || line === undefined) return undefined;
    const rid = this.#rids.get(last.device);
    const found = first(
      line,
      (group) =>
        (rid === undefined || group.rid === rid) &&
        closedAt(group) <= at.to + SLACK &&
        (group.answer === undefined || group.answer.submitted >= at.from - UNCERTAIN) &&
        records.some(({ page }) => group.requests.some((request) => request.page === page)),
    );
    if (found !== undefined) this.#rids.set(last.device, found.rid);
    return found;
  }

  /** The next group of the same requester that was complete by then. */
  behind(group: RequestGroup, by: Nanoseconds): RequestGroup | undefined {
    const line = this.#byDevice.get(group.rid);
    const next = line === undefined ? undefined : first(line, (one) => closedAt(one) >= closedAt(group));
    return next === undefined || closedAt(next) > by ? undefined : next;
  }
}

function first(line: GroupLine, fits: (group: RequestGroup) => boolean): RequestGroup | undefined {
  const { groups } = line;
  while (groups[line.head]?.delivery !== undefined) line.head++;
  for (let i = line.head; i < groups.length; i++) {
    const group = groups[i]!;
    if (group.delivery === undefined && fits(group)) return group;
  }
  return undefined;
}

function lineOf<K>(lines: Map<K, GroupLine>, key: K): GroupLine {
  let line = lines.get(key);
  if (line === undefined) {
    line = { groups: [], head: 0 };
    lines.set(key, line);
  }
  return line;
}
