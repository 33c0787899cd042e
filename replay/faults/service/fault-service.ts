import { Random } from '../../../traces/random.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { EventHeap } from '../../time/event-heap.ts';
import type { QueueTiming } from '../queues/queue-timing.ts';
import type { FaultArrivals } from './fault-arrivals.ts';
import type { FaultCosts } from './fault-costs.ts';
import { FaultDevices } from './fault-devices.ts';
import type { FaultServiceResult } from './fault-service-result.ts';
import { GroupTable, OUTCOME_OF } from './group-table.ts';
import { ENTERED, HardwareQueue } from './hardware-queue.ts';
import { IntFifo } from './int-fifo.ts';
import { LevelOverTime } from './level-over-time.ts';
import { RepairedPages } from './repaired-pages.ts';
import { Samples } from './samples.ts';
import { timeSampler } from './service-time.ts';
import type { ServiceTime, TimeSampler } from './service-time.ts';

/** Kinds of events; at the same time the lower one comes first, then what was put in first. */
const EVENT = {
  handled: 0,
  served: 1,
  free: 2,
  answered: 3,
  done: 4,
  again: 5,
  restarted: 6,
  arrival: 7,
  wish: 8,
  request: 9,
  interrupt: 10,
  timer: 11,
} as const;
const KINDS = 16;
/** A group that was asked for so often is given up: the queue is too small for anything to pass. */
const MOST_ATTEMPTS = 1000;
const HUGE_PAGES = 512;

/** Groups of a device go round: as many as `outstanding` threads of each device, each with one group at a time. */
export interface ClosedLoop {
  readonly threads: number;
  /** From the end of a group to the wish for the next. */
  readonly think: ServiceTime;
}

export interface FaultServiceOptions {
  readonly arrivals: FaultArrivals;
  readonly queue: QueueTiming;
  /** Entries of the hardware queue. */
  readonly entries: number;
  /** Requests that a device may have outstanding. */
  readonly outstanding: number;
  readonly servers: number;
  readonly service: ServiceTime;
  /** What a group takes of which the recording does not tell. */
  readonly unknownServiceNs: Nanoseconds;
  /** Of one record in the driver; `costs.handlerNs` unless given. */
  readonly handler?: ServiceTime;
  /** Responses of one submission at most; a server that finds nothing else to do submits what there is. */
  readonly batch: number;
  /** Longest that a response waits for others; 0: as long as servers have work. */
  readonly lingerNs: Nanoseconds;
  /** Pages of a repaired block: 1, 16 or 512; and pages brought in behind it. */
  readonly repairPages: number;
  readonly prefetch: number;
  readonly costs: FaultCosts;
  /** False: a lost group is not asked for again. */
  readonly asksAgain: boolean;
  readonly closed?: ClosedLoop;
  readonly seed: number;
  /** False: no quantiles of durations, for runs of many millions. */
  readonly quantiles: boolean;
}

/** Page requests from a device's wish to its translation. The same options give the same result. */
export function simulateFaultService(options: FaultServiceOptions): FaultServiceResult {
  return new FaultService(options).run();
}

class FaultService {
  readonly #options: FaultServiceOptions;
  readonly #costs: FaultCosts;
  readonly #heap = new EventHeap();
  readonly #table = new GroupTable();
  readonly #devices: FaultDevices;
  readonly #queue: HardwareQueue;
  readonly #complete = new IntFifo();
  readonly #answers: number[] = [];
  readonly #repaired = new RepairedPages();
  readonly #host = new LevelOverTime();
  readonly #busy = new LevelOverTime();
  readonly #serviceOf: TimeSampler;
  readonly #handlerOf: TimeSampler;
  readonly #thinkOf: TimeSampler | undefined;
  /** Own copy: pages that came with others are taken out of their groups. */
  readonly #page: Float64Array | undefined;
  /** Groups by device, in order, for closed loops. */
  readonly #ownFrom: Int32Array;
  readonly #own: Int32Array;
  readonly #ownNext: Int32Array;
  readonly #samples: { readonly [name in SampleName]: Samples };
  #now = 0;
  #sequence = 0;
  #nextArrival = 0;
  #handlerOn = false;
  #passLeft = 0;
  #passSize = 0;
  #taken = -1;
  #idle: number;
  #generation = 0;
  #flushDue = false;
  #partials = 0;
  readonly #counts = {
    groups: 0,
    repaired: 0,
    refused: 0,
    lost: 0,
    avoided: 0,
    retries: 0,
    givenUp: 0,
    discarded: 0,
    submissions: 0,
    prefetched: 0,
    prefetchUsed: 0,
    entriesWritten: 0,
  };

  constructor(options: FaultServiceOptions) {
    this.#options = options;
    this.#costs = options.costs;
    const { arrivals, seed } = options;
    // each draws from its own, so that a change of one does not move the others
    this.#serviceOf = timeSampler(options.service, new Random(seed), options.unknownServiceNs);
    const handler = options.handler ?? ({ kind: 'fixed', ns: options.costs.handlerNs } as const);
    this.#handlerOf = timeSampler(handler, new Random(seed + 1), options.costs.handlerNs);
    this.#thinkOf =
      options.closed === undefined ? undefined : timeSampler(options.closed.think, new Random(seed + 2), 0);
    this.#devices = new FaultDevices(this.#table, arrivals.devices, arrivals.rids, options.outstanding);
    this.#queue = new HardwareQueue(options.queue, options.entries);
    this.#page = arrivals.pages?.page.slice();
    this.#idle = options.servers;
    const { own, from } = byDevice(arrivals, options.closed !== undefined);
    this.#own = own;
    this.#ownFrom = from;
    this.#ownNext = from.slice();
    const keep = options.quantiles;
    this.#samples = {
      response: new Samples(keep),
      done: new Samples(keep),
      device: new Samples(keep),
      queue: new Samples(keep),
      server: new Samples(keep),
      service: new Samples(keep),
      batch: new Samples(keep),
    };
  }

  run(): FaultServiceResult {
    const { arrivals, closed } = this.#options;
    const start = arrivals.groups === 0 ? 0 : arrivals.time[0]!; // not empty
    this.#now = start;
    this.#queue.occupancy.set(start, 0);
    this.#host.set(start, 0);
    this.#busy.set(start, 0);
    if (closed === undefined) this.#comeNext();
    else {
      for (let thread = 0; thread < arrivals.devices * closed.threads; thread++) {
        this.#at(start + (this.#thinkOf?.(Number.NaN) ?? 0), EVENT.wish, thread);
      }
    }
    const heap = this.#heap;
    while (heap.count > 0) {
      this.#now = heap.time;
      const id = heap.pop();
      this.#happen(id % KINDS, Math.floor(id / KINDS));
    }
    return this.#result(start);
  }

  #happen(kind: number, of: number): void {
    switch (kind) {
      case EVENT.arrival:
        this.#wish(of, -1);
        this.#comeNext();
        break;
      case EVENT.wish:
        this.#think(of);
        break;
      case EVENT.request:
        this.#request(of);
        break;
      case EVENT.interrupt:
        this.#pass();
        break;
      case EVENT.handled:
        this.#handled();
        break;
      case EVENT.served:
        this.#served(of);
        break;
      case EVENT.free:
        this.#freeServer();
        break;
      case EVENT.answered:
        this.#answered(of);
        break;
      case EVENT.done:
        this.#done(of);
        break;
      case EVENT.again:
        this.#devices.answered(of);
        this.#askAgain(of);
        break;
      case EVENT.restarted:
        this.#queue.clear(this.#now);
        break;
      default:
        this.#timer(of);
    }
  }

  #at(time: Nanoseconds, kind: number, of: number): void {
    this.#heap.push(time, kind * 2 ** 48 + this.#sequence++, of * KINDS + kind);
  }

  #comeNext(): void {
    const { arrivals } = this.#options;
    if (this.#nextArrival >= arrivals.groups) return;
    const group = this.#nextArrival++;
    this.#at(Math.max(this.#now, arrivals.time[group]!), EVENT.arrival, group); // in range
  }

  /** A thread of a closed loop takes its device's next group. */
  #think(thread: number): void {
    const { closed, arrivals } = this.#options;
    const device = Math.floor(thread / (closed?.threads ?? 1));
    if (device >= arrivals.devices || this.#ownNext[device]! >= this.#ownFrom[device + 1]!) return; // in range
    this.#wish(this.#own[this.#ownNext[device]!++]!, thread);
  }

  #wish(group: number, thread: number): void {
    const { arrivals } = this.#options;
    this.#counts.groups++;
    const count = this.#wanted(group);
    if (count === 0) {
      this.#counts.avoided++;
      this.#goOn(thread);
      return;
    }
    const table = this.#table;
    const slot = table.take();
    const device = arrivals.device?.[group] ?? 0;
    table.device[slot] = device;
    table.group[slot] = group;
    table.thread[slot] = thread;
    table.first[slot] = arrivals.requestsFrom?.[group] ?? 0;
    table.count[slot] = count;
    table.wantedAt[slot] = this.#now;
    this.#devices.wish(device, this.#now);
    this.#devices.line(slot, false, this.#now);
    this.#send(device);
  }

  /** Requests of a group whose pages have not come with others; they are moved to its beginning. */
  #wanted(group: number): number {
    const { requestsFrom, pages } = this.#options.arrivals;
    const page = this.#page;
    if (requestsFrom === undefined) return 1;
    const first = requestsFrom[group]!; // in range, like the next
    const last = requestsFrom[group + 1]!;
    if (page === undefined || pages === undefined || this.#repaired.size === 0) return last - first;
    let kept = first;
    for (let i = first; i < last; i++) {
      if (this.#repaired.take(pages.space[i]!, page[i]!)) this.#counts.prefetchUsed++;
      else page[kept++] = page[i]!;
    }
    return kept - first;
  }

  /** What a device may send now, it sends. */
  #send(device: number): void {
    const table = this.#table;
    for (let slot = this.#devices.next(device, this.#now); slot >= 0; slot = this.#devices.next(device, this.#now)) {
      if (table.attempts[slot]!++ === 0) this.#samples.device.add(this.#now - table.wantedAt[slot]!); // in range
      table.begunAt[slot] = this.#now;
      table.sent[slot] = 0;
      table.lost[slot] = 0;
      this.#at(this.#now + this.#costs.requestNs, EVENT.request, slot);
    }
  }

  #offset(slot: number, request: number): Nanoseconds {
    const { pages } = this.#options.arrivals;
    const first = this.#table.first[slot]!; // in range
    return pages === undefined ? 0 : pages.offsetNs[first + request]! - pages.offsetNs[first]!; // of a group's own
  }

  /** A group's next request is at the queue. */
  #request(slot: number): void {
    const table = this.#table;
    const sent = ++table.sent[slot]!; // in range, like all slots
    const last = sent === table.count[slot]!;
    if (last) table.lastAt[slot] = this.#now - this.#costs.requestNs;
    else {
      const time = table.begunAt[slot]! + this.#costs.requestNs + this.#offset(slot, sent);
      this.#at(Math.max(this.#now, time), EVENT.request, slot);
    }
    const found = this.#queue.enter(slot * 2 + (last ? 1 : 0), this.#now);
    if (found === ENTERED.lost) {
      table.lost[slot]!++;
      if (last) this.#lastLost(slot);
    }
    if (this.#queue.waiting > 0) this.#alert(this.#costs.interruptNs);
  }

  /** Nobody will hear of the group; its earlier requests may be in the queue. */
  #lastLost(slot: number): void {
    const { queue, asksAgain } = this.#options;
    const table = this.#table;
    if (table.lost[slot]! < table.count[slot]!) this.#partials++;
    table.outcome[slot] = asksAgain ? OUTCOME_OF.again : OUTCOME_OF.lost;
    // never at once: what asks again must not keep the driver from its turn
    const answered = this.#now + Math.max(1, this.#costs.answerNs);
    if (!asksAgain || queue.lost === 'success') this.#at(answered, EVENT.answered, slot);
    else this.#at(this.#now + this.#costs.timeoutNs, EVENT.again, slot);
  }

  #alert(after: Nanoseconds): void {
    if (this.#handlerOn) return;
    this.#handlerOn = true;
    this.#at(this.#now + after, EVENT.interrupt, 0);
  }

  /** The driver looks at the queue: it handles what is there now. */
  #pass(): void {
    this.#passSize = this.#queue.waiting;
    this.#passLeft = this.#passSize;
    this.#takeOne();
  }

  #takeOne(): void {
    this.#taken = this.#queue.take(this.#now);
    this.#at(this.#now + this.#handlerOf(Number.NaN), EVENT.handled, 0);
  }

  #handled(): void {
    const { queue } = this.#options;
    if ((this.#taken & 1) === 1) this.#groupComplete(this.#taken >> 1);
    if (--this.#passLeft > 0) {
      this.#takeOne();
      return;
    }
    if (queue.freed === 'pass') this.#queue.free(this.#passSize, this.#now);
    if (this.#queue.overflowing && this.#queue.waiting === 0) {
      if (queue.discards) this.#counts.discarded += this.#partials;
      this.#partials = 0;
      if (queue.restarted) this.#at(this.#now + this.#costs.restartNs, EVENT.restarted, 0);
      else this.#queue.clear(this.#now);
    }
    this.#handlerOn = false;
    // what came meanwhile is handled without another interrupt
    if (this.#queue.waiting > 0) this.#alert(0);
  }

  #groupComplete(slot: number): void {
    const table = this.#table;
    table.completeAt[slot] = this.#now;
    this.#samples.queue.add(this.#now - table.lastAt[slot]!); // in range
    if (this.#options.queue.denies) {
      table.outcome[slot] = OUTCOME_OF.refused;
      this.#counts.submissions++;
      this.#at(this.#now + this.#costs.respondNs + this.#costs.answerNs, EVENT.answered, slot);
      return;
    }
    this.#complete.push(slot);
    this.#host.set(this.#now, this.#host.level + 1);
    if (this.#idle > 0) this.#serve(this.#costs.wakeNs);
  }

  /** An idle server takes the oldest group. */
  #serve(wakeNs: Nanoseconds): void {
    this.#idle--;
    this.#busy.set(this.#now, this.#options.servers - this.#idle);
    const { arrivals } = this.#options;
    const table = this.#table;
    const slot = this.#complete.shift();
    const begin = this.#now + wakeNs;
    this.#samples.server.add(begin - table.completeAt[slot]!); // in range
    const group = table.group[slot]!;
    const refused = arrivals.refused?.[group] === 1;
    table.outcome[slot] = refused ? OUTCOME_OF.refused : OUTCOME_OF.repaired;
    const ns = this.#serviceOf(arrivals.serviceNs?.[group] ?? Number.NaN) + (refused ? 0 : this.#repair(slot));
    this.#samples.service.add(ns);
    this.#at(begin + ns, EVENT.served, slot);
  }

  /** Brings in a group's pages, and what comes with them; returns the ns that this adds to the service. */
  #repair(slot: number): Nanoseconds {
    const { arrivals, repairPages, prefetch } = this.#options;
    const counts = this.#counts;
    const table = this.#table;
    const count = table.count[slot]!; // in range, like the rest
    const page = this.#page;
    if (page === undefined || arrivals.pages === undefined) {
      counts.entriesWritten += count;
      return count * this.#costs.entryNs;
    }
    const first = table.first[slot]!;
    let entries = 0;
    let extra = 0;
    let block = -1;
    for (let i = first; i < first + count; i++) {
      const own = Math.floor(page[i]! / repairPages);
      if (own === block && repairPages > 1) continue;
      block = own;
      // a block of 64 KiB is 16 entries, one of 2 MiB a single one
      entries += repairPages >= HUGE_PAGES ? 1 : repairPages;
      if (repairPages > 1) extra += this.#bring(slot, own * repairPages, repairPages);
    }
    if (prefetch > 0) {
      const behind = this.#bring(
        slot,
        repairPages > 1 ? (block + 1) * repairPages : page[first + count - 1]! + 1,
        prefetch,
      );
      extra += behind;
      entries += repairPages >= HUGE_PAGES ? Math.ceil(behind / HUGE_PAGES) : behind;
    }
    counts.entriesWritten += entries;
    counts.prefetched += extra;
    const each = repairPages >= HUGE_PAGES ? this.#costs.populateHugeNs : this.#costs.populateNs;
    return entries * this.#costs.entryNs + extra * each;
  }

  /** Pages of a run that were not asked for by the group itself and had not come before. */
  #bring(slot: number, from: number, pages: number): number {
    const table = this.#table;
    const page = this.#page;
    const first = table.first[slot]!; // in range, like the rest
    const count = table.count[slot]!;
    const space = this.#options.arrivals.pages?.space[first] ?? 0;
    let brought = 0;
    for (let at = from; at < from + pages; at++) {
      let asked = false;
      for (let i = first; i < first + count && !asked; i++) asked = page?.[i] === at;
      if (!asked && this.#repaired.add(space, at)) brought++;
    }
    return brought;
  }

  #served(slot: number): void {
    this.#table.servedAt[slot] = this.#now;
    this.#host.set(this.#now, this.#host.level - 1);
    this.#answers.push(slot);
    if (this.#answers.length >= this.#options.batch || this.#flushDue) this.#submit();
    else {
      if (this.#answers.length === 1 && this.#options.lingerNs > 0) {
        this.#at(this.#now + this.#options.lingerNs, EVENT.timer, this.#generation);
      }
      this.#freeServer();
    }
  }

  /** A server that is busy submits all responses that wait. */
  #submit(): void {
    const { submitNs, respondNs, answerNs } = this.#costs;
    let time = this.#now + submitNs;
    for (const slot of this.#answers) {
      this.#samples.batch.add(this.#now - this.#table.servedAt[slot]!); // in range
      time += respondNs;
      this.#at(time + answerNs, EVENT.answered, slot);
    }
    this.#answers.length = 0;
    this.#generation = (this.#generation + 1) & 0xff_ffff;
    this.#flushDue = false;
    this.#counts.submissions++;
    if (time > this.#now) this.#at(time, EVENT.free, 0);
    else this.#freeServer();
  }

  /** A server is done with what it did. */
  #freeServer(): void {
    if (this.#complete.count > 0) {
      this.#idle++;
      this.#serve(0);
      return;
    }
    // the last one to go submits what waits
    if (this.#answers.length > 0 && this.#idle === this.#options.servers - 1) {
      this.#submit();
      return;
    }
    this.#idle++;
    this.#busy.set(this.#now, this.#options.servers - this.#idle);
  }

  #timer(generation: number): void {
    if (generation !== this.#generation || this.#answers.length === 0) return;
    if (this.#idle === 0) {
      this.#flushDue = true;
      return;
    }
    this.#idle--;
    this.#busy.set(this.#now, this.#options.servers - this.#idle);
    this.#submit();
  }

  /** The device has a response. */
  #answered(slot: number): void {
    const table = this.#table;
    const { outcome } = table;
    if (this.#options.queue.freed === 'answered' && table.lost[slot] === 0) {
      this.#queue.free(table.count[slot]!, this.#now); // in range
      if (this.#queue.waiting > 0) this.#alert(this.#costs.interruptNs);
    }
    this.#devices.answered(slot);
    const kind = outcome[slot];
    if (kind === OUTCOME_OF.repaired || kind === OUTCOME_OF.refused) {
      this.#samples.response.add(this.#now - table.lastAt[slot]!); // in range
    }
    if (kind === OUTCOME_OF.refused || kind === OUTCOME_OF.lost) this.#end(slot);
    else this.#at(this.#now + this.#costs.retranslateNs, EVENT.done, slot);
    this.#send(table.device[slot]!);
  }

  /** The device has asked for its translation. */
  #done(slot: number): void {
    const table = this.#table;
    const lost = table.lost[slot]!; // in range
    if (table.outcome[slot] === OUTCOME_OF.again) this.#askAgain(slot);
    else if (lost > 0 && this.#options.asksAgain) {
      // the host knew only of some of the pages
      table.first[slot]! += table.count[slot]! - lost;
      table.count[slot] = lost;
      this.#askAgain(slot);
    } else this.#end(slot);
  }

  #askAgain(slot: number): void {
    const table = this.#table;
    const device = table.device[slot]!; // in range
    if (table.attempts[slot]! >= MOST_ATTEMPTS) {
      this.#counts.givenUp++;
      table.outcome[slot] = OUTCOME_OF.lost;
      this.#end(slot);
      this.#send(device);
      return;
    }
    this.#counts.retries++;
    table.outcome[slot] = OUTCOME_OF.open;
    this.#devices.line(slot, true, this.#now);
    this.#send(device);
  }

  #end(slot: number): void {
    const table = this.#table;
    const waited = this.#now - table.wantedAt[slot]!; // in range, like the rest
    this.#samples.done.add(waited);
    this.#devices.over(table.device[slot]!, waited, this.#now);
    const outcome = table.outcome[slot];
    if (outcome === OUTCOME_OF.repaired) this.#counts.repaired++;
    else if (outcome === OUTCOME_OF.refused) this.#counts.refused++;
    else this.#counts.lost++;
    const thread = table.thread[slot]!;
    table.give(slot);
    this.#goOn(thread);
  }

  /** A thread of a closed loop goes on to its next group. */
  #goOn(thread: number): void {
    if (thread >= 0) this.#at(this.#now + (this.#thinkOf?.(Number.NaN) ?? 0), EVENT.wish, thread);
  }

  #result(start: Nanoseconds): FaultServiceResult {
    const end = this.#now;
    for (const level of [this.#queue.occupancy, this.#host, this.#busy]) level.end(end);
    const spanNs = end - start;
    const devices = this.#devices.result();
    const share = (ns: number): number => (spanNs > 0 && devices.length > 0 ? ns / spanNs / devices.length : 0);
    const samples = this.#samples;
    const queue = this.#queue;
    return {
      spanNs,
      ...this.#counts,
      requests: queue.offered,
      lostRequests: queue.lost,
      overflowProbability: queue.offered === 0 ? 0 : queue.lost / queue.offered,
      overflows: queue.overflows,
      overflowNs: queue.overflowNs,
      held: queue.held,
      responseNs: samples.response.quantiles(),
      doneNs: samples.done.quantiles(),
      parts: {
        deviceNs: samples.device.quantiles(),
        queueNs: samples.queue.quantiles(),
        serverNs: samples.server.quantiles(),
        serviceNs: samples.service.quantiles(),
        batchNs: samples.batch.quantiles(),
      },
      responseBars: samples.response.bars(),
      queue: queue.occupancy.summary(),
      host: this.#host.summary(),
      queueSeries: queue.occupancy.series(),
      hostSeries: this.#host.series(),
      utilisation: this.#busy.summary().mean / this.#options.servers,
      stallShare: share(devices.reduce((sum, { stallNs }) => sum + stallNs, 0)),
      blockedShare: share(devices.reduce((sum, { blockedNs }) => sum + blockedNs, 0)),
      devices,
    };
  }
}

type SampleName = 'response' | 'done' | 'device' | 'queue' | 'server' | 'service' | 'batch';

function byDevice(arrivals: FaultArrivals, wanted: boolean): { readonly own: Int32Array; readonly from: Int32Array } {
  const from = new Int32Array(arrivals.devices + 1);
  if (!wanted) return { own: new Int32Array(0), from };
  const { device, groups } = arrivals;
  for (let i = 0; i < groups; i++) from[(device?.[i] ?? 0) + 1]!++;
  for (let i = 0; i < arrivals.devices; i++) from[i + 1]! += from[i]!; // one more than devices
  const next = from.slice();
  const own = new Int32Array(groups);
  for (let i = 0; i < groups; i++) own[next[device?.[i] ?? 0]!++] = i;
  return { own, from };
}
