import { Random } from '../../../traces/random.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import type { FaultArrivals } from './fault-arrivals.ts';
import type { FaultCosts } from './fault-costs.ts';
import { FaultDevices } from './fault-devices.ts';
import { EVENT, FaultEvents } from './fault-events.ts';
import { FaultSamples } from './fault-samples.ts';
import { FaultServers } from './fault-servers.ts';
import type { FaultServiceOptions } from './fault-service-options.ts';
import type { FaultServiceResult } from './fault-service-result.ts';
import { GroupTable, OUTCOME_OF } from './group-table.ts';
import { ENTERED, HardwareQueue } from './hardware-queue.ts';
import { PageRepair } from './page-repair.ts';
import { timeSampler } from './service-time.ts';
import type { TimeSampler } from './service-time.ts';

/** A group that was asked for so often is given up: the queue is too small for anything to pass. */
const MOST_ATTEMPTS = 1000;
/** Devices that a result names. */
const MOST_DEVICES = 100;

/** Page requests from a device's wish to its translation. The same options give the same result. */
export function simulateFaultService(options: FaultServiceOptions): FaultServiceResult {
  return new FaultService(options).run();
}

class FaultService {
  readonly #options: FaultServiceOptions;
  readonly #costs: FaultCosts;
  readonly #events = new FaultEvents();
  readonly #table = new GroupTable();
  readonly #devices: FaultDevices;
  readonly #queue: HardwareQueue;
  readonly #samples: FaultSamples;
  readonly #repair: PageRepair;
  readonly #servers: FaultServers;
  readonly #handlerOf: TimeSampler;
  readonly #thinkOf: TimeSampler | undefined;
  readonly #refault: Random | undefined;
  /** Groups by device, in order, for closed loops. */
  readonly #ownFrom: Int32Array;
  readonly #own: Int32Array;
  readonly #ownNext: Int32Array;
  #nextArrival = 0;
  #handlerOn = false;
  #passLeft = 0;
  #passSize = 0;
  #taken = -1;
  /** Groups of which only earlier requests are in the host. */
  #partials = 0;
  /** Groups that the driver denied. */
  #denied = 0;
  readonly #counts = {
    groups: 0,
    repaired: 0,
    refused: 0,
    lost: 0,
    avoided: 0,
    retries: 0,
    givenUp: 0,
    discarded: 0,
  };

  constructor(options: FaultServiceOptions) {
    this.#options = options;
    this.#costs = options.costs;
    const { arrivals, seed } = options;
    // each draws from its own, so that a change of one does not move the others
    const handler = options.handler ?? ({ kind: 'fixed', ns: options.costs.handlerNs } as const);
    this.#handlerOf = timeSampler(handler, new Random(seed + 1), options.costs.handlerNs);
    this.#thinkOf =
      options.closed === undefined ? undefined : timeSampler(options.closed.think, new Random(seed + 2), 0);
    this.#refault = (options.refaults ?? 0) > 0 ? new Random(seed + 4) : undefined;
    this.#devices = new FaultDevices(this.#table, arrivals.devices, arrivals.rids, options.outstanding);
    this.#queue = new HardwareQueue(options.queue, options.entries);
    const { own, from } = byDevice(arrivals, options.closed !== undefined);
    this.#own = own;
    this.#ownFrom = from;
    this.#ownNext = from.slice();
    this.#samples = new FaultSamples(options.quantiles);
    this.#repair = new PageRepair(options, this.#table);
    this.#servers = new FaultServers(options, this.#table, this.#events, this.#samples, this.#repair);
  }

  run(): FaultServiceResult {
    const { arrivals, closed } = this.#options;
    const start = arrivals.groups === 0 ? 0 : arrivals.time[0]!; // not empty
    this.#events.now = start;
    this.#queue.occupancy.set(start, 0);
    this.#servers.host.set(start, 0);
    this.#servers.busy.set(start, 0);
    if (closed === undefined) this.#comeNext();
    else {
      for (let thread = 0; thread < arrivals.devices * closed.threads; thread++) {
        this.#events.at(start + (this.#thinkOf?.(Number.NaN) ?? 0), EVENT.wish, thread);
      }
    }
    for (let of = this.#events.next(); of >= 0; of = this.#events.next()) this.#happen(this.#events.kind, of);
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
        this.#servers.served(of);
        break;
      case EVENT.free:
        this.#servers.freeServer();
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
        this.#queue.clear(this.#events.now);
        break;
      default:
        this.#servers.timer(of);
    }
  }

  #comeNext(): void {
    const { arrivals } = this.#options;
    if (this.#nextArrival >= arrivals.groups) return;
    const group = this.#nextArrival++;
    this.#events.at(Math.max(this.#events.now, arrivals.time[group]!), EVENT.arrival, group); // in range
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
    const count = this.#repair.wanted(group);
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
    table.wantedAt[slot] = this.#events.now;
    this.#devices.wish(device, this.#events.now);
    this.#devices.line(slot, false, this.#events.now);
    this.#send(device);
  }

  /** What a device may send now, it sends. */
  #send(device: number): void {
    const table = this.#table;
    for (
      let slot = this.#devices.next(device, this.#events.now);
      slot >= 0;
      slot = this.#devices.next(device, this.#events.now)
    ) {
      if (table.attempts[slot]!++ === 0) this.#samples.device.add(this.#events.now - table.wantedAt[slot]!); // in range
      table.begunAt[slot] = this.#events.now;
      table.sent[slot] = 0;
      table.lost[slot] = 0;
      this.#events.at(this.#events.now + this.#costs.requestNs, EVENT.request, slot);
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
    if (last) table.lastAt[slot] = this.#events.now - this.#costs.requestNs;
    else {
      const time = table.begunAt[slot]! + this.#costs.requestNs + this.#offset(slot, sent);
      this.#events.at(Math.max(this.#events.now, time), EVENT.request, slot);
    }
    const found = this.#queue.enter(slot * 2 + (last ? 1 : 0), this.#events.now);
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
    const answered = this.#events.now + Math.max(1, this.#costs.answerNs);
    if (!asksAgain || queue.lost === 'success') this.#events.at(answered, EVENT.answered, slot);
    else this.#events.at(this.#events.now + this.#costs.timeoutNs, EVENT.again, slot);
  }

  #alert(after: Nanoseconds): void {
    if (this.#handlerOn) return;
    this.#handlerOn = true;
    this.#events.at(this.#events.now + after, EVENT.interrupt, 0);
  }

  /** The driver looks at the queue: it handles what is there now. */
  #pass(): void {
    this.#passSize = this.#queue.waiting;
    this.#passLeft = this.#passSize;
    this.#takeOne();
  }

  #takeOne(): void {
    this.#taken = this.#queue.take(this.#events.now);
    this.#events.at(this.#events.now + this.#handlerOf(Number.NaN), EVENT.handled, 0);
  }

  #handled(): void {
    const { queue } = this.#options;
    if ((this.#taken & 1) === 1) this.#groupComplete(this.#taken >> 1);
    if (--this.#passLeft > 0) {
      this.#takeOne();
      return;
    }
    if (queue.freed === 'pass') this.#queue.free(this.#passSize, this.#events.now);
    if (this.#queue.overflowing && this.#queue.waiting === 0) {
      if (queue.discards) this.#counts.discarded += this.#partials;
      this.#partials = 0;
      if (queue.restarted) this.#events.at(this.#events.now + this.#costs.restartNs, EVENT.restarted, 0);
      else this.#queue.clear(this.#events.now);
    }
    this.#handlerOn = false;
    // what came meanwhile is handled without another interrupt
    if (this.#queue.waiting > 0) this.#alert(0);
  }

  #groupComplete(slot: number): void {
    const table = this.#table;
    table.completeAt[slot] = this.#events.now;
    this.#samples.queue.add(this.#events.now - table.lastAt[slot]!); // in range
    if (this.#options.queue.denies) {
      table.outcome[slot] = OUTCOME_OF.refused;
      this.#denied++;
      this.#events.at(this.#events.now + this.#costs.respondNs + this.#costs.answerNs, EVENT.answered, slot);
      return;
    }
    this.#servers.take(slot);
  }

  /** The device has a response. */
  #answered(slot: number): void {
    const table = this.#table;
    const { outcome } = table;
    if (this.#options.queue.freed === 'answered' && table.lost[slot] === 0) {
      this.#queue.free(table.count[slot]!, this.#events.now); // in range
      if (this.#queue.waiting > 0) this.#alert(this.#costs.interruptNs);
    }
    this.#devices.answered(slot);
    const kind = outcome[slot];
    if (kind === OUTCOME_OF.repaired || kind === OUTCOME_OF.refused) {
      this.#samples.response.add(this.#events.now - table.lastAt[slot]!); // in range
    }
    if (kind === OUTCOME_OF.refused || kind === OUTCOME_OF.lost) this.#end(slot);
    else this.#events.at(this.#events.now + this.#costs.retranslateNs, EVENT.done, slot);
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
    } else if (this.#refault?.chance(this.#options.refaults ?? 0) === true) this.#askAgain(slot);
    else this.#end(slot);
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
    this.#devices.line(slot, true, this.#events.now);
    this.#send(device);
  }

  #end(slot: number): void {
    const table = this.#table;
    const waited = this.#events.now - table.wantedAt[slot]!; // in range, like the rest
    this.#samples.done.add(waited);
    this.#devices.over(table.device[slot]!, waited, this.#events.now);
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
    if (thread >= 0) this.#events.at(this.#events.now + (this.#thinkOf?.(Number.NaN) ?? 0), EVENT.wish, thread);
  }

  #result(start: Nanoseconds): FaultServiceResult {
    const end = this.#events.now;
    const { busy, host } = this.#servers;
    const { prefetched, prefetchUsed, entriesWritten } = this.#repair;
    for (const level of [this.#queue.occupancy, host, busy]) level.end(end);
    const spanNs = end - start;
    const devices = this.#devices;
    const share = (ns: number): number => (spanNs > 0 && devices.count > 0 ? ns / spanNs / devices.count : 0);
    const samples = this.#samples;
    const queue = this.#queue;
    return {
      spanNs,
      ...this.#counts,
      submissions: this.#servers.submissions + this.#denied,
      prefetched,
      prefetchUsed,
      entriesWritten,
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
      host: host.summary(),
      queueSeries: queue.occupancy.series(),
      hostSeries: host.series(),
      utilisation: busy.summary().mean / this.#options.servers,
      stallShare: share(devices.stallNs),
      blockedShare: share(devices.blockedNs),
      devices: devices.result(MOST_DEVICES),
    };
  }
}

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
