import type { Nanoseconds } from '../../traces/units.ts';
import { EventHeap } from './event-heap.ts';
import type { QueueCosts } from './queue-costs.ts';
import type { QueueRules } from './queue-rules.ts';
import { STEP, StepRing } from './step-ring.ts';
import { UnitQueue } from './unit-queue.ts';
import type { RingPart } from './unit-queue.ts';
import { WaitTimes } from './wait-times.ts';

/** Rounds of looks that are worth being taken at once. */
const SKIPPED_ROUNDS = 4;

/** Told about times as they become known. */
export interface TimingListener {
  /** The oldest command of a submitter that has no time yet and is for a device (or not) takes effect then. Dropped ones are not told. */
  effect(submitter: number, device: boolean, time: Nanoseconds): void;
  /** A submitter got what it waited for and goes on at `end`; it wanted the queue from `start` on. */
  finished(submitter: number, start: Nanoseconds, end: Nanoseconds, waited: boolean): void;
}

/** A submission that is not done. */
interface Batch {
  readonly queue: UnitQueue;
  readonly commands: number;
  /** Wait commands behind them. */
  readonly waits: 0 | 1;
  /** The CPU waits until all is done. */
  readonly waited: boolean;
  readonly ready: Nanoseconds;
}

/** A CPU, or whatever else submits one thing after the other. */
interface Submitter {
  readonly key: number;
  readonly index: number;
  readonly steps: StepRing;
  readonly backlog: Batch[];
  next: number;
  batch: Batch | undefined;
  /** Since when it wants the queue, and since when it wants the lock for its next visit. */
  start: Nanoseconds;
  at: Nanoseconds;
  /** Commands and waits that it has yet to write. */
  left: number;
  lockWait: Nanoseconds;
  /** When it found the ring full; -1: not. */
  stalled: Nanoseconds;
  /** It looks for its completion, which it can see then. */
  looking: boolean;
  done: Nanoseconds;
  part: RingPart | undefined;
  /** Goes on with its work. */
  free: Nanoseconds;
}

/** Submissions of several CPUs whose entries one of them publishes. */
interface Group {
  open: boolean;
  close: Nanoseconds;
  valid: Nanoseconds;
  members: Member[];
}

interface Member {
  readonly submitter: Submitter;
  readonly batch: Batch;
  readonly start: Nanoseconds;
  readonly valid: Nanoseconds;
}

/**
 * Discrete events of command queues that CPUs share. A CPU has one submission at a time: it takes the lock (in the order of
 * arrival), waits for room in the ring, writes its commands and the tail, and looks for its completion; what it submits meanwhile
 * comes behind. The hardware works off each queue in order. Times are whole ns.
 *
 * Submissions must be given in such an order that none is ready before the time up to which `run` has come.
 */
export class CommandTiming {
  readonly queues: UnitQueue[] = [];
  /** Of submissions with a wait: from wanting the queue until the CPU has seen them done. */
  readonly submitToWait = new WaitTimes();
  /** Waiting for the lock (or a place in the ring) until the commands were written. */
  readonly lockWait = new WaitTimes();
  /** All CPU time in here. */
  cpuNs: Nanoseconds = 0;
  /** How far a submission began after the time at which it was ready, at most. */
  lateNs: Nanoseconds = 0;
  /** When the newest submission was done. */
  end: Nanoseconds = 0;
  readonly #costs: QueueCosts;
  readonly #rules: QueueRules;
  readonly #listener: TimingListener;
  readonly #heap = new EventHeap();
  readonly #byKey = new Map<number, Submitter>();
  readonly #submitters: Submitter[] = [];
  readonly #parked = new Map<UnitQueue, Submitter[]>();
  readonly #groups = new Map<UnitQueue, Group>();
  #until: Nanoseconds = 0;
  /** Submitters that look for their completions. */
  #lookers = 0;

  constructor(costs: QueueCosts, rules: QueueRules, listener: TimingListener) {
    this.#costs = costs;
    this.#rules = rules;
    this.#listener = listener;
  }

  queue(unit: number, index: number): UnitQueue {
    const queue = new UnitQueue(this.queues.length, unit, index, this.#costs, this.#rules);
    this.queues.push(queue);
    return queue;
  }

  /** `count` steps of which `commands` are commands, then `waits` wait commands; `ns` of each step for a device: what it takes. */
  submit(
    submitter: number,
    queue: UnitQueue,
    ready: Nanoseconds,
    steps: Uint8Array,
    ns: Float64Array,
    count: number,
    commands: number,
    waits: 0 | 1,
    waited: boolean,
  ): void {
    const who = this.#submitterOf(submitter);
    who.steps.append(steps, ns, count);
    const batch = { queue, commands, waits, waited, ready };
    if (who.batch === undefined) this.#start(who, batch);
    else who.backlog.push(batch);
  }

  /** Brings everything up to a time. */
  run(until: Nanoseconds): void {
    this.#until = until;
    const heap = this.#heap;
    while (heap.count > 0 && heap.time <= until) {
      if (this.#lookers > 1 && this.#lookers === heap.count) this.#skipLooks();
      const id = heap.pop();
      if (id < 0)
        this.#publish(this.queues[-1 - id]!); // ids are given out below
      else this.#step(this.#submitters[id]!);
    }
  }

  #submitterOf(key: number): Submitter {
    let who = this.#byKey.get(key);
    if (who === undefined) {
      who = {
        key,
        index: this.#submitters.length,
        steps: new StepRing(),
        backlog: [],
        next: 0,
        batch: undefined,
        start: 0,
        at: 0,
        left: 0,
        lockWait: 0,
        stalled: -1,
        looking: false,
        done: 0,
        part: undefined,
        free: 0,
      };
      this.#byKey.set(key, who);
      this.#submitters.push(who);
    }
    return who;
  }

  #start(who: Submitter, batch: Batch): void {
    who.batch = batch;
    who.start = Math.max(batch.ready, who.free);
    who.left = batch.commands + batch.waits;
    who.lockWait = 0;
    if (who.start - batch.ready > this.lateNs) this.lateNs = who.start - batch.ready;
    this.#come(who, who.start);
  }

  #come(who: Submitter, at: Nanoseconds): void {
    who.at = at;
    // of those that come at once, who has waited longest is first
    this.#heap.push(at, who.start, who.index);
  }

  #step(who: Submitter): void {
    const { batch } = who;
    if (batch === undefined) return;
    const { queue } = batch;
    if (this.#rules.order === 'reservation') {
      this.#reserve(who, batch);
      return;
    }
    const got = queue.lockFree > who.at ? queue.lockFree + this.#costs.transferNs : who.at;
    if (who.looking) {
      this.#look(who, batch, got);
      return;
    }
    who.lockWait += got - who.at;
    this.#write(who, batch, got);
  }

  /** The submitter has the lock: writes what it can, and the tail. */
  #write(who: Submitter, batch: Batch, got: Nanoseconds): void {
    const { queue } = batch;
    const rules = this.#rules;
    const costs = this.#costs;
    const entries = rules.eachAlone ? 1 : who.left;
    const room = queue.roomAt(entries, got);
    if (room > got) {
      if (who.stalled < 0) {
        who.stalled = got;
        queue.fullStalls++;
      }
      if (rules.full === 'comes-again') {
        queue.hold(got, got);
        if (room === Number.POSITIVE_INFINITY) this.#park(who, queue);
        else this.#come(who, room);
        return;
      }
    }
    if (who.stalled >= 0) {
      queue.fullStallNs += room - who.stalled;
      who.stalled = -1;
    }
    const part = queue.write(entries, room);
    const last = who.left <= entries;
    const commands = entries - (last ? batch.waits : 0);
    queue.tailWrites++;
    const written = room + entries * costs.commandNs + costs.doorbellNs;
    const passed = this.#pass(who, queue, commands, written);
    who.left -= entries;
    if (!last) {
      if (part !== undefined) this.#see(queue, part, passed);
      queue.hold(got, passed);
      this.#come(who, passed);
      return;
    }
    this.lockWait.add(who.lockWait);
    if (!batch.waited) {
      if (part !== undefined) this.#see(queue, part, passed);
      queue.hold(got, passed);
      this.#finish(who, batch, who.start, passed);
      return;
    }
    who.done = this.#complete(queue, passed);
    if (rules.wait === 'lock-each-look') {
      who.part = part;
      this.#look(who, batch, passed);
      queue.lockNs += passed - got;
      return;
    }
    const seen = this.#seenAt(passed, who.done);
    queue.hold(got, rules.wait === 'keeps-lock' ? seen : passed);
    this.#finish(who, batch, who.start, seen);
  }

  /** The submitter has the lock and looks; when it is not done, until something else happens. */
  #look(who: Submitter, batch: Batch, got: Nanoseconds): void {
    const { queue } = batch;
    if (who.done <= got) {
      if (who.looking) this.#lookers--;
      who.looking = false;
      if (who.part !== undefined) this.#see(queue, who.part, got);
      who.part = undefined;
      queue.hold(got, got);
      this.#finish(who, batch, who.start, got);
      return;
    }
    const { lookNs } = this.#costs;
    const horizon = Math.min(who.done, this.#heap.time, this.#until);
    const looks = Math.max(1, Math.ceil((horizon - got) / lookNs));
    if (!who.looking) this.#lookers++;
    who.looking = true;
    queue.lookNs += looks * lookNs;
    // beyond 2^53 ns a look may be too short to count
    const next = got + looks * lookNs;
    queue.hold(got, next > got ? next : who.done);
    this.#come(who, next > got ? next : who.done);
  }

  /**
   * All that is under way is looks, in turn on each queue, and nobody's completion is near: whole rounds of them are taken at once.
   * The times are those that one look after the other would have given.
   */
  #skipLooks(): void {
    const { lookNs, transferNs } = this.#costs;
    const lookers = this.#submitters.filter(({ looking }) => looking);
    const target = lookers.reduce((least, { done }) => Math.min(least, done), this.#until);
    if (target - this.#heap.time < SKIPPED_ROUNDS * lookers.length * (lookNs + transferNs)) return;
    for (const queue of new Set(lookers.flatMap(({ batch }) => (batch === undefined ? [] : [batch.queue])))) {
      const here = lookers.filter(({ batch }) => batch?.queue === queue);
      const round = here.length === 1 ? lookNs : here.length * (lookNs + transferNs);
      // one round less, so that nobody looks at or after the target
      const rounds = Math.floor((target - queue.lockFree) / round) - 1;
      if (rounds < 1) continue;
      queue.lookNs += rounds * here.length * lookNs;
      queue.lockNs += rounds * here.length * lookNs;
      queue.lockFree += rounds * round;
      for (const who of here) who.at += rounds * round;
    }
    this.#heap.clear();
    for (const who of lookers) this.#heap.push(who.at, who.start, who.index);
  }

  /** Reserves a place in the ring; the first to come publishes for all that come until it does. */
  #reserve(who: Submitter, batch: Batch): void {
    const { queue } = batch;
    const costs = this.#costs;
    // the place before was taken by another CPU an instant ago
    const got = Math.max(who.at, queue.lockFree);
    who.lockWait += got - who.at;
    const room = queue.roomAt(who.left, got);
    if (room > got) {
      if (who.stalled < 0) {
        who.stalled = got;
        queue.fullStalls++;
      }
      if (room === Number.POSITIVE_INFINITY) this.#park(who, queue);
      else this.#come(who, room);
      return;
    }
    let group = this.#groups.get(queue);
    if (group === undefined) {
      group = { open: false, close: 0, valid: 0, members: [] };
      this.#groups.set(queue, group);
    }
    if (group.open && got > group.close) {
      // they are published before
      this.#come(who, got);
      return;
    }
    if (who.stalled >= 0) {
      queue.fullStallNs += got - who.stalled;
      who.stalled = -1;
    }
    queue.lockFree = got + costs.transferNs;
    queue.reserve(who.left, got);
    const valid = got + who.left * costs.commandNs;
    this.lockWait.add(who.lockWait);
    group.members.push({ submitter: who, batch, start: who.start, valid });
    if (group.open) {
      group.valid = Math.max(group.valid, valid);
      // whoever waits for nothing leaves the tail to the one that came first
      if (!batch.waited) this.#finish(who, batch, who.start, valid);
      return;
    }
    group.open = true;
    group.valid = valid;
    // `close` still says when the group before was published
    group.close = Math.max(valid, group.close);
    this.#heap.push(group.close, Number.NEGATIVE_INFINITY, -1 - queue.id);
  }

  /** The tail is written for all that have reserved a place. */
  #publish(queue: UnitQueue): void {
    const group = this.#groups.get(queue);
    if (group === undefined) return;
    const { members } = group;
    let at = Math.max(group.close, group.valid) + this.#costs.doorbellNs;
    queue.publish();
    queue.tailWrites++;
    const dones = members.map(({ submitter, batch }) => {
      at = this.#pass(submitter, queue, batch.commands, at);
      return !batch.waited ? at : this.#complete(queue, at);
    });
    queue.lockNs += at - group.close;
    group.open = false;
    group.close = at;
    group.members = [];
    this.#wake(queue, at);
    members.forEach(({ submitter, batch, start, valid }, i) => {
      const first = i === 0;
      if (!batch.waited && !first) return;
      const from = first ? at : valid;
      this.#finish(submitter, batch, start, !batch.waited ? at : this.#seenAt(from, dones[i] ?? at));
    });
  }

  /** Takes commands along the path and hands them to the hardware. Returns when the submitter's CPU is through with that. */
  #pass(who: Submitter, queue: UnitQueue, commands: number, from: Nanoseconds): Nanoseconds {
    const { callsWait, handOverNs, passNs } = this.#costs;
    const { steps } = who;
    let at = from;
    let left = commands;
    while (left > 0) {
      while (steps.takeCall()) at += handOverNs;
      // commands up to the next call go to the hardware together
      const together = steps.commandsAhead(left);
      if (together === 0) throw new RangeError('a submission has fewer commands than it says');
      left -= together;
      at += together * passNs;
      this.#issue(who, queue, together, at);
      if (callsWait) at = Math.max(at, this.#waitFor(queue, at));
    }
    return at;
  }

  #issue(who: Submitter, queue: UnitQueue, count: number, at: Nanoseconds): void {
    const { hardware } = queue;
    hardware.handed(at);
    for (let i = 0; i < count; i++) {
      const kind = who.steps.take();
      if (kind === STEP.dropped) {
        queue.took(at);
        continue;
      }
      const time = kind === STEP.own ? hardware.own() : hardware.device(who.steps.ns);
      queue.took(hardware.free);
      queue.commands++;
      if (kind !== STEP.unanswered) this.#listener.effect(who.key, kind === STEP.device, time);
    }
    if (hardware.free > hardware.began) queue.busy.add(hardware.began, hardware.free);
  }

  /** When the submitter could see that all is done that was handed over by `at`. */
  #complete(queue: UnitQueue, at: Nanoseconds): Nanoseconds {
    const { callsWait, wayBackNs } = this.#costs;
    // whoever carries out calls that wait answers the wait himself
    return (callsWait ? at : this.#waitFor(queue, at)) + wayBackNs;
  }

  /** A wait goes in behind all before. Returns when it is done. */
  #waitFor(queue: UnitQueue, at: Nanoseconds): Nanoseconds {
    const { hardware } = queue;
    hardware.handed(at);
    const done = hardware.wait();
    queue.took(hardware.free);
    if (hardware.free > hardware.began) queue.busy.add(hardware.began, hardware.free);
    return done;
  }

  /** The first look at or after the completion, of looks that begin at `from`. */
  #seenAt(from: Nanoseconds, done: Nanoseconds): Nanoseconds {
    const { lookNs } = this.#costs;
    return done <= from ? from : from + Math.ceil((done - from) / lookNs) * lookNs;
  }

  #see(queue: UnitQueue, part: RingPart, time: Nanoseconds): void {
    if (queue.see(part)) this.#wake(queue, time);
  }

  #wake(queue: UnitQueue, time: Nanoseconds): void {
    const parked = this.#parked.get(queue);
    if (parked === undefined || parked.length === 0) return;
    this.#parked.set(queue, []);
    for (const who of parked) this.#come(who, time);
  }

  /** Spins outside the lock until somebody frees entries. */
  #park(who: Submitter, queue: UnitQueue): void {
    const parked = this.#parked.get(queue);
    if (parked === undefined) this.#parked.set(queue, [who]);
    else parked.push(who);
  }

  #finish(who: Submitter, batch: Batch, start: Nanoseconds, end: Nanoseconds): void {
    const { waited } = batch;
    const on = waited ? end + this.#costs.resumeNs : end;
    if (waited) this.submitToWait.add(on - start);
    this.cpuNs += on - start;
    if (on > this.end) this.end = on;
    who.free = on;
    who.batch = undefined;
    const next = who.backlog[who.next];
    if (next === undefined) {
      who.backlog.length = 0;
      who.next = 0;
    } else {
      who.next++;
      this.#start(who, next);
    }
    this.#listener.finished(who.key, start, on, waited);
  }
}
