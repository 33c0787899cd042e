import type { CommandDialect } from '../../traces/dialects/dialect.ts';
import type { DomainId, Nanoseconds, PageNumber, RequesterId } from '../../traces/units.ts';
import type { Costs } from '../costs/cost-profile.ts';
import { ANSWER } from '../atc/answering-devices.ts';
import type { AnsweringDevices } from '../atc/answering-devices.ts';
import type { CommandEmitter } from '../designs/design.ts';
import { commandScope, readScope } from '../model/command-scope.ts';
import { HostLists } from '../paths/host-lists.ts';
import type { PathRoute, PathStep } from '../paths/path.ts';
import { CommandTiming } from '../time/command-timing.ts';
import type { DeviceStalls } from '../time/device-stalls.ts';
import { coreScaling } from '../time/core-scaling.ts';
import { queueCosts } from '../time/queue-costs.ts';
import type { QueueCosts } from '../time/queue-costs.ts';
import { SubmissionStreams } from '../time/submission-streams.ts';
import { queueRules } from '../time/queue-rules.ts';
import type { QueueRules } from '../time/queue-rules.ts';
import { STEP } from '../time/step-ring.ts';
import { timeResult } from '../time/time-result.ts';
import type { UnitQueue } from '../time/unit-queue.ts';
import type { CommandTime, CoreScaling } from '../results.ts';
import type { AddressReuse } from './address-reuse.ts';
import { COMMAND_WORDS, CommandList } from './command-list.ts';
import { CommandQueue } from './command-queue.ts';
import type { ApplyCommand } from './command-queue.ts';

/** Commands of one CPU: the unit carries its own out in order, and devices answer in order, but not each other's. */
interface Lane {
  readonly own: CommandQueue;
  readonly device: CommandQueue;
}

/** Addresses that are free once so many commands of a lane have taken effect. */
interface Release {
  readonly deferred: number;
  readonly lane: Lane;
  readonly own: number;
  readonly device: number;
}

/** What a submission depends on beside the commands. */
export interface SubmissionOptions {
  readonly costs: Costs;
  readonly route: PathRoute;
  readonly reuse: AddressReuse;
  readonly dialect: CommandDialect;
  /** Linux version of the driver: major x 100 + minor. */
  readonly kernel: number;
  readonly answering: AnsweringDevices;
  /** Core counts to scale the trace's submitters to; empty: none. */
  readonly cores: readonly number[];
  readonly seed: number;
}

/**
 * Takes a design's commands along a path to the hardware: counts what that takes, has it timed (`CommandTiming`), and holds the
 * commands until their time has come.
 */
export class Submission implements CommandEmitter {
  commands = 0;
  syncs = 0;
  doorbells = 0;
  exits = 0;
  ioctls = 0;
  readonly byType: Int32Array;
  readonly #costs: Costs;
  readonly #route: PathRoute;
  readonly #rules: QueueRules;
  /** Where a host carries lists out. */
  readonly lists: HostLists | undefined;
  readonly #dialect: CommandDialect;
  readonly #answering: AnsweringDevices;
  readonly #scope = commandScope();
  /** By type: 1 if it goes on to a device's TLB. */
  readonly #deviceTlb: Uint8Array;
  readonly #reuse: AddressReuse;
  readonly #queueCosts: QueueCosts;
  readonly #timing: CommandTiming;
  /** Kept where submitters are to be scaled. */
  readonly #streams: SubmissionStreams | undefined;
  readonly #cores: readonly number[];
  readonly #seed: number;
  readonly #queues = new Map<number, UnitQueue>();
  readonly #lanes = new Map<number, Lane>();
  readonly #waiting: CommandQueue[] = [];
  readonly #releases: Release[] = [];
  readonly #timers = new Map<number, Nanoseconds>();
  readonly #batch = new CommandList();
  #steps = new Uint8Array(256);
  #stepNs = new Float64Array(256);
  #stepCount = 0;
  /** Commands among the steps. */
  #passed = 0;
  #cpu = -1;
  #now: Nanoseconds = 0;
  #spentNs = 0;
  /** No command takes effect before. */
  #soonest: Nanoseconds = Number.POSITIVE_INFINITY;
  /** Earliest of the armed timers. */
  nextTimer: Nanoseconds = Number.POSITIVE_INFINITY;

  constructor({ answering, cores, costs, dialect, kernel, reuse, route, seed }: SubmissionOptions) {
    this.#costs = costs;
    this.#answering = answering;
    this.#route = route;
    this.lists = route.list === undefined ? undefined : new HostLists(route.list);
    this.#reuse = reuse;
    this.#dialect = dialect;
    this.byType = new Int32Array(dialect.typeNames.length);
    this.#deviceTlb = new Uint8Array(dialect.typeNames.length);
    for (const type of dialect.deviceTlb) this.#deviceTlb[type] = 1;
    this.#rules = queueRules(dialect.id, kernel);
    this.#cores = cores;
    this.#seed = seed;
    const streams = cores.length === 0 ? undefined : new SubmissionStreams(costs['cores.pause']);
    this.#streams = streams;
    this.#queueCosts = queueCosts(costs, route, this.#rules);
    this.#timing = new CommandTiming(this.#queueCosts, this.#rules, {
      effect: (cpu, device, time) => {
        const lane = this.#laneOf(cpu);
        (device ? lane.device : lane.own).setTime(time);
        if (time < this.#soonest) this.#soonest = time;
      },
      finished: (cpu, start, end) => streams?.finished(cpu, start, end),
    });
  }

  /** What follows is submitted by a CPU from this time on; -1 for a timer, which runs where there is room. */
  from(cpu: number, time: Nanoseconds): void {
    this.#cpu = cpu;
    this.#now = time;
  }

  /**
   * A CPU goes on with its work at a recorded time, so it has waited for what it submitted: that takes effect now if the
   * recording left it less time than the model asks for. Modelled times stay as they are.
   */
  settle(cpu: number, time: Nanoseconds, apply: ApplyCommand): void {
    this.#streams?.seen(cpu, time);
    const lane = this.#lanes.get(cpu);
    if (lane === undefined || (lane.own.empty && lane.device.empty)) return;
    const now: ApplyCommand = (_at, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi) =>
      apply(time, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
    while (!lane.own.empty) lane.own.pop(now);
    while (!lane.device.empty) lane.device.pop(now);
  }

  /** The trace's submitters on more cores; undefined where nobody asked or nothing was submitted. Call after `finish`. */
  scaling(): CoreScaling | undefined {
    if (this.#streams === undefined) return undefined;
    return coreScaling(this.#cores, this.#streams.streams(), {
      costs: this.#queueCosts,
      rules: this.#rules,
      queues: this.#route.queues,
      seed: this.#seed,
    });
  }

  /** CPU time of the whole run: that of submissions, and what was spent beside them. Call after `finish`. */
  get cpuNs(): Nanoseconds {
    return this.#spentNs + this.#timing.cpuNs;
  }

  /** Ends all that is under way. `start` and `end` are the trace's. Call once, last. */
  finish(stalls: DeviceStalls, start: Nanoseconds, end: Nanoseconds): CommandTime {
    this.#timing.run(Number.POSITIVE_INFINITY);
    return timeResult(this.#timing, stalls, start, end);
  }

  /** CPU time that is not spent on commands. */
  spend(ns: Nanoseconds): void {
    this.#spentNs += ns;
  }

  /** A driver mapped or unmapped something: `step` is what the path adds to that. Returns how long it takes, in ns. */
  take(step: PathStep): Nanoseconds {
    this.exits += step.exits;
    this.ioctls += step.ioctls;
    this.#spentNs += step.ns;
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
    this.#batch.add(w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi, w3Lo, w3Hi);
  }

  submit(unit: number): void {
    // requests say themselves when they are done; elsewhere one more command does
    this.#hand(unit, this.#dialect.completion < 0 ? 0 : 1, true);
    this.syncs++;
  }

  publish(unit: number): void {
    this.#hand(unit, 0, false);
  }

  /** Takes the batch and `waits` wait commands to the hardware, as many commands at once as the path can; the wait goes with the last. */
  #hand(unit: number, waits: 0 | 1, waited: boolean): void {
    const { most } = this.#route;
    const count = this.#batch.length;
    this.#batch.length = 0;
    this.#ring(count + waits);
    this.#stepCount = 0;
    this.#passed = 0;
    let from = 0;
    while (count - from > most) {
      this.#handOver(from, most);
      from += most;
    }
    this.#handOver(from, count - from);
    if (this.#passed + waits === 0 && !waited) return;
    this.#streams?.submitted(
      this.#cpu,
      this.#now,
      unit,
      this.#steps,
      this.#stepNs,
      this.#stepCount,
      this.#passed,
      waits,
      waited,
    );
    this.#timing.submit(
      this.#cpu,
      this.#queueOf(unit),
      this.#now,
      this.#steps,
      this.#stepNs,
      this.#stepCount,
      this.#passed,
      waits,
      waited,
    );
  }

  /** The driver writes its tail register: behind each command on AMD and RISC-V, else once. */
  #ring(count: number): void {
    const { doorbell } = this.#route;
    const doorbells = this.#rules.eachAlone ? count : 1;
    this.doorbells += doorbells;
    this.exits += doorbells * doorbell.exits;
    this.ioctls += doorbells * doorbell.ioctls;
  }

  /** Commands `from` to `from + count` of the batch, in one go, as the path's other end carries them out. */
  #handOver(from: number, count: number): void {
    const { handOver } = this.#route;
    const before = this.#stepCount;
    if (count > 0 && (handOver.ns > 0 || handOver.ioctls === 1)) this.#step(STEP.call, 0);
    let calls = 1;
    if (this.lists?.refuses === true) {
      const passed = this.#passed;
      calls = this.lists.run(count, (at, n) => this.#issue(from + at, n));
      const refused = count - (this.#passed - passed);
      for (let i = 0; i < refused; i++) this.#pass(STEP.dropped, 0);
      // further calls of the list, in front of what the first took
      for (let i = 1; i < calls && this.#stepCount > before; i++) this.#call(before);
    } else {
      this.#issue(from, count);
    }
    this.exits += calls * handOver.exits;
    this.ioctls += calls * handOver.ioctls;
  }

  /** Commands `from` to `from + count` of the batch are the hardware's. */
  #issue(from: number, count: number): void {
    const lane = this.#laneOf(this.#cpu);
    const { words } = this.#batch;
    for (let i = from; i < from + count; i++) {
      const at = COMMAND_WORDS * i;
      const type = this.#dialect.typeNumber(words[at]!, words[at + 1]!); // i is in range
      if (this.#deviceTlb[type] === 1) {
        const ns = Math.round(this.#answering.serve(this.#deviceOf(at)));
        if (this.#answering.answer === ANSWER.unsent) continue;
        const done = this.#answering.answer === ANSWER.done;
        if (done) lane.device.push(words, at);
        this.#pass(done ? STEP.device : STEP.unanswered, ns);
      } else {
        lane.own.push(words, at);
        this.#pass(STEP.own, 0);
      }
      this.byType[type]!++; // a type is in range
      this.commands++;
    }
  }

  #pass(step: number, ns: Nanoseconds): void {
    this.#passed++;
    this.#step(step, ns);
  }

  #step(step: number, ns: Nanoseconds): void {
    if (this.#stepCount === this.#steps.length) {
      const steps = new Uint8Array(2 * this.#steps.length);
      const stepNs = new Float64Array(2 * this.#steps.length);
      steps.set(this.#steps);
      stepNs.set(this.#stepNs);
      this.#steps = steps;
      this.#stepNs = stepNs;
    }
    this.#steps[this.#stepCount] = step;
    this.#stepNs[this.#stepCount++] = ns;
  }

  #call(at: number): void {
    this.#step(STEP.call, 0);
    this.#steps.copyWithin(at + 1, at, this.#stepCount - 1);
    this.#stepNs.copyWithin(at + 1, at, this.#stepCount - 1);
    this.#steps[at] = STEP.call;
  }

  /** Whose cache the device-TLB command at `at` of the batch is for. */
  #deviceOf(at: number): RequesterId {
    const { words } = this.#batch;
    const scope = this.#scope;
    readScope(
      scope,
      this.#dialect.id,
      words[at]!, // a command's words are in range
      words[at + 1]!,
      words[at + 2]!,
      words[at + 3]!,
      words[at + 4]!,
      words[at + 5]!,
    );
    return scope.device;
  }

  /** CPU c writes the unit's queue c mod queues; a timer the first. */
  #queueOf(unit: number): UnitQueue {
    const { queues } = this.#route;
    const index = queues === 1 || this.#cpu < 0 ? 0 : this.#cpu % queues;
    const key = unit * queues + index;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = this.#timing.queue(unit, index);
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #laneOf(cpu: number): Lane {
    let lane = this.#lanes.get(cpu);
    if (lane === undefined) {
      lane = { own: new CommandQueue(), device: new CommandQueue() };
      this.#lanes.set(cpu, lane);
      this.#waiting.push(lane.own, lane.device);
    }
    return lane;
  }

  defer(domain: DomainId, first: PageNumber, last: PageNumber): number {
    this.#spentNs += this.#costs['cpu.defer'];
    return this.#reuse.hold(domain, first, last);
  }

  /** Addresses are free once the commands of this submitter so far have taken effect, which it waits for. */
  release(deferred: number): void {
    const lane = this.#lanes.get(this.#cpu);
    if (lane === undefined || (lane.own.empty && lane.device.empty)) this.#reuse.release(deferred);
    else this.#releases.push({ deferred, lane, own: lane.own.pushed, device: lane.device.pushed });
  }

  /** Frees the addresses whose flush has taken effect. Call before addresses are handed out. */
  freeReleased(): void {
    const releases = this.#releases;
    if (releases.length === 0) return;
    let kept = 0;
    for (const release of releases) {
      const { deferred, lane, own, device } = release;
      if (lane.own.popped >= own && lane.device.popped >= device) this.#reuse.release(deferred);
      else releases[kept++] = release;
    }
    releases.length = kept;
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

  /** Those whose oldest command takes effect first, and by `time`; undefined if none does. */
  nextDone(time: Nanoseconds): CommandQueue | undefined {
    this.#timing.run(time);
    if (this.#soonest > time) return undefined;
    let best: CommandQueue | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#waiting.length; i++) {
      const queue = this.#waiting[i]!; // i is in range
      if (queue.next < least) {
        best = queue;
        least = queue.next;
      }
    }
    this.#soonest = least;
    return least <= time ? best : undefined;
  }
}
