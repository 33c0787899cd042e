import type { CommandDialect } from '../../traces/dialects/dialect.ts';
import { DIALECT } from '../../traces/schema.ts';
import type { DomainId, Nanoseconds, PageNumber, RequesterId } from '../../traces/units.ts';
import type { Costs } from '../costs/cost-profile.ts';
import { ANSWER } from '../atc/answering-devices.ts';
import type { AnsweringDevices } from '../atc/answering-devices.ts';
import type { CommandEmitter } from '../designs/design.ts';
import { commandScope, readScope } from '../model/command-scope.ts';
import { HostLists } from '../paths/host-lists.ts';
import type { PathRoute, PathStep } from '../paths/path.ts';
import type { AddressReuse } from './address-reuse.ts';
import { COMMAND_WORDS, CommandQueue } from './command-queue.ts';
import type { ApplyCommand } from './command-queue.ts';

interface Wait {
  until: Nanoseconds;
  readonly queue: CommandQueue;
  /** `queue.pushed` after its last command. */
  readonly last: number;
}

/**
 * Modelled time: takes a design's commands and says when the hardware has done each, how long submitters wait, and what it costs.
 * Each unit has one queue, first in, first out; a CPU that waits for its own submission can't submit another one meanwhile.
 */
export class Submission implements CommandEmitter {
  commands = 0;
  syncs = 0;
  doorbells = 0;
  exits = 0;
  ioctls = 0;
  cpuNs = 0;
  stallNs = 0;
  readonly byType: Int32Array;
  readonly #costs: Costs;
  readonly #route: PathRoute;
  /** Where a host carries lists out. */
  readonly lists: HostLists | undefined;
  readonly #dialect: CommandDialect;
  readonly #answering: AnsweringDevices;
  readonly #scope = commandScope();
  /** By type: 1 if it goes on to a device's TLB. */
  readonly #deviceTlb: Uint8Array;
  readonly #reuse: AddressReuse;
  readonly #queues = new Map<number, CommandQueue>();
  readonly #queueList: CommandQueue[] = [];
  /** Newest submission of each CPU. */
  readonly #waits = new Map<number, Wait>();
  readonly #timers = new Map<number, Nanoseconds>();
  #batch = new Int32Array(COMMAND_WORDS * 64);
  #count = 0;
  #cpu = -1;
  #now: Nanoseconds = 0;
  /** Earliest of the armed timers. */
  nextTimer: Nanoseconds = Number.POSITIVE_INFINITY;

  constructor(
    costs: Costs,
    route: PathRoute,
    reuse: AddressReuse,
    dialect: CommandDialect,
    answering: AnsweringDevices,
  ) {
    this.#costs = costs;
    this.#answering = answering;
    this.#route = route;
    this.lists = route.list === undefined ? undefined : new HostLists(route.list);
    this.#reuse = reuse;
    this.#dialect = dialect;
    this.byType = new Int32Array(dialect.typeNames.length);
    this.#deviceTlb = new Uint8Array(dialect.typeNames.length);
    for (const type of dialect.deviceTlb) this.#deviceTlb[type] = 1;
  }

  /** What follows is submitted by a CPU from this time on; -1 for a timer, which runs where there is room. */
  from(cpu: number, time: Nanoseconds): void {
    this.#cpu = cpu;
    this.#now = time;
  }

  /**
   * A CPU goes on with its work at a recorded time, so it has waited for what it submitted: that takes effect now if the
   * recording left it less time than the model asks for. Backlogs can't grow beyond one submission a CPU.
   */
  settle(cpu: number, time: Nanoseconds, apply: ApplyCommand): void {
    const wait = this.#waits.get(cpu);
    if (wait === undefined || wait.until <= time) return;
    wait.until = time;
    const { queue, last } = wait;
    while (queue.popped < last) {
      queue.pop((_at, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi) => apply(time, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi));
    }
    if (queue.popped === queue.pushed) queue.freeAt = time;
  }

  /** CPU time that is not spent on commands. */
  spend(ns: Nanoseconds): void {
    this.cpuNs += ns;
  }

  /** A driver mapped or unmapped something: `step` is what the path adds to that. Returns how long it takes, in ns. */
  take(step: PathStep): Nanoseconds {
    this.exits += step.exits;
    this.ioctls += step.ioctls;
    this.cpuNs += step.ns;
    return step.ns;
  }

  command(
    _unit: number,
    w0Lo: number,
    w0Hi: number,
    w1Lo: number,
    w1Hi: number,
    w2Lo: number,
    w2Hi: number,
    w3Lo: number,
    w3Hi: number,
  ): void {
    const at = COMMAND_WORDS * this.#count++;
    if (at === this.#batch.length) {
      const larger = new Int32Array(2 * at);
      larger.set(this.#batch);
      this.#batch = larger;
    }
    const batch = this.#batch;
    batch[at] = w0Lo;
    batch[at + 1] = w0Hi;
    batch[at + 2] = w1Lo;
    batch[at + 3] = w1Hi;
    batch[at + 4] = w2Lo;
    batch[at + 5] = w2Hi;
    batch[at + 6] = w3Lo;
    batch[at + 7] = w3Hi;
  }

  submit(unit: number): void {
    // requests say themselves when they are done; elsewhere one more command does
    const queue = this.#hand(unit, this.#dialect.completion < 0 ? 0 : 1);
    const submitted = this.#now;
    const done = this.#complete(queue);
    if (this.#cpu >= 0) this.#waits.set(this.#cpu, { until: done, queue, last: queue.pushed });
    this.syncs++;
    this.stallNs += done - submitted;
  }

  publish(unit: number): void {
    this.#hand(unit, 0);
  }

  /**
   * Takes the batch and `waits` wait commands to the hardware, as many commands at once as the path can; the wait goes with the
   * last. `now` moves on to when the CPU has done so.
   */
  #hand(unit: number, waits: number): CommandQueue {
    const { handOver, most } = this.#route;
    const count = this.#count;
    this.#count = 0;
    const queue = this.#queueOf(unit);
    const ready = this.#cpu < 0 ? this.#now : Math.max(this.#now, this.#waits.get(this.#cpu)?.until ?? 0);
    this.#now = ready;
    this.#ring(count + waits);
    let from = 0;
    while (count - from > most) {
      this.#handOver(queue, from, most, 0);
      // a call returns when the hardware has done what it was given
      if (handOver.ioctls === 1) this.#complete(queue);
      from += most;
    }
    this.#handOver(queue, from, count - from, waits);
    return queue;
  }

  /** The driver writes `count` commands into its queue and its tail register: behind each command on AMD, else once. */
  #ring(count: number): void {
    const costs = this.#costs;
    const { doorbell } = this.#route;
    // drivers/iommu/amd/iommu.c, __iommu_queue_command_sync
    const doorbells = this.#dialect.id === DIALECT.amd ? count : 1;
    const written = count * costs['cpu.command'] + doorbells * (costs['cpu.doorbell'] + doorbell.ns);
    this.#now += written;
    this.cpuNs += written;
    this.doorbells += doorbells;
    this.exits += doorbells * doorbell.exits;
    this.ioctls += doorbells * doorbell.ioctls;
  }

  /** Commands `from` to `from + count` of the batch, in one go, as the path's other end carries them out. */
  #handOver(queue: CommandQueue, from: number, count: number, waits: number): void {
    const { handOver, commandNs } = this.#route;
    const calls = this.lists?.refuses === true ? this.lists.run(count, (at, n) => this.#issue(queue, from + at, n)) : 1;
    this.#now += (count + waits) * commandNs + calls * handOver.ns;
    this.cpuNs += (count + waits) * commandNs + calls * handOver.ns;
    this.exits += calls * handOver.exits;
    this.ioctls += calls * handOver.ioctls;
    if (this.lists?.refuses !== true) this.#issue(queue, from, count);
  }

  /** Commands `from` to `from + count` of the batch are the hardware's. */
  #issue(queue: CommandQueue, from: number, count: number): void {
    const costs = this.#costs;
    let done = Math.max(this.#now + costs['queue.fetch'], queue.freeAt);
    for (let i = from; i < from + count; i++) {
      const at = COMMAND_WORDS * i;
      const type = this.#dialect.typeNumber(this.#batch[at]!, this.#batch[at + 1]!); // i is in range
      if (this.#deviceTlb[type] === 1) {
        done += this.#answering.serve(this.#deviceOf(at));
        if (this.#answering.answer === ANSWER.unsent) continue;
        if (this.#answering.answer === ANSWER.done) queue.push(done, this.#batch, at);
      } else {
        done += costs['queue.iotlb'];
        queue.push(done, this.#batch, at);
      }
      this.byType[type]!++; // a type is in range
      this.commands++;
    }
    queue.freeAt = done;
  }

  /** Whose cache the device-TLB command at `at` of the batch is for. */
  #deviceOf(at: number): RequesterId {
    const batch = this.#batch;
    const scope = this.#scope;
    readScope(
      scope,
      this.#dialect.id,
      batch[at]!, // a command's words are in range
      batch[at + 1]!,
      batch[at + 2]!,
      batch[at + 3]!,
      batch[at + 4]!,
      batch[at + 5]!,
    );
    return scope.device;
  }

  /** The CPU waits until a queue has done all that it was given, and sees it. Returns when. */
  #complete(queue: CommandQueue): Nanoseconds {
    const done = queue.freeAt + this.#costs['queue.wait'] + this.#route.waitNs;
    queue.freeAt = done;
    this.cpuNs += done - this.#now;
    this.#now = done;
    return done;
  }

  /** CPU c writes the unit's queue c mod queues; a timer the first. */
  #queueOf(unit: number): CommandQueue {
    const { queues } = this.#route;
    const key = unit * queues + (queues === 1 || this.#cpu < 0 ? 0 : this.#cpu % queues);
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new CommandQueue();
      this.#queues.set(key, queue);
      this.#queueList.push(queue);
    }
    return queue;
  }

  defer(domain: DomainId, first: PageNumber, last: PageNumber): number {
    this.cpuNs += this.#costs['cpu.defer'];
    return this.#reuse.hold(domain, first, last);
  }

  release(deferred: number): void {
    this.#reuse.release(deferred);
  }

  arm(timer: number, at: Nanoseconds): void {
    this.#timers.set(timer, at);
    if (at < this.nextTimer) this.nextTimer = at;
  }

  /** Takes the timer that runs out first, if it does so by `time`; -1 if none does. Ties go to the one armed first. */
  takeTimer(time: Nanoseconds): number {
    if (this.nextTimer > time) return -1;
    let taken = -1;
    for (const [timer, at] of this.#timers) {
      if (at === this.nextTimer) {
        taken = timer;
        break;
      }
    }
    this.#timers.delete(taken);
    this.nextTimer = Number.POSITIVE_INFINITY;
    for (const at of this.#timers.values()) if (at < this.nextTimer) this.nextTimer = at;
    return taken;
  }

  /** The unit whose oldest command takes effect first, and before `time`; undefined if none does. */
  nextDone(time: Nanoseconds): CommandQueue | undefined {
    let best: CommandQueue | undefined;
    let least = time;
    for (let i = 0; i < this.#queueList.length; i++) {
      const queue = this.#queueList[i]!; // i is in range
      const at = queue.next;
      if (at <= least && (best === undefined || at < least)) {
        best = queue;
        least = at;
      }
    }
    return best;
  }
}
