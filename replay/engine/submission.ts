import { VTD_TYPE, VTD_TYPE_NAMES, vtdType } from '../../traces/dialects/vtd-fields.ts';
import type { DomainId, Nanoseconds, PageNumber } from '../../traces/units.ts';
import type { Costs } from '../costs/cost-profile.ts';
import type { CommandEmitter } from '../designs/design.ts';
import type { AddressReuse } from './address-reuse.ts';
import { CommandQueue } from './command-queue.ts';

export type ApplyCommand = (time: Nanoseconds, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number) => void;

interface Wait {
  until: Nanoseconds;
  readonly queue: CommandQueue;
  /** `queue.pushed` after its last command. */
  readonly last: number;
}

/** Most commands of one submission. */
const BATCH = 64;

/**
 * Modelled time: takes a design's commands and says when the hardware has done each, how long submitters wait, and what it costs.
 * Each unit has one queue, first in, first out; a CPU that waits for its own submission can't submit another one meanwhile.
 */
export class Submission implements CommandEmitter {
  commands = 0;
  syncs = 0;
  doorbells = 0;
  cpuNs = 0;
  stallNs = 0;
  readonly byType = new Int32Array(VTD_TYPE_NAMES.length);
  readonly #costs: Costs;
  readonly #reuse: AddressReuse;
  readonly #queues = new Map<number, CommandQueue>();
  readonly #queueList: CommandQueue[] = [];
  /** Newest submission of each CPU. */
  readonly #waits = new Map<number, Wait>();
  readonly #timers = new Map<number, Nanoseconds>();
  readonly #batch = new Int32Array(4 * BATCH);
  #count = 0;
  #cpu = -1;
  #now: Nanoseconds = 0;
  /** Earliest of the armed timers. */
  nextTimer: Nanoseconds = Number.POSITIVE_INFINITY;

  constructor(costs: Costs, reuse: AddressReuse) {
    this.#costs = costs;
    this.#reuse = reuse;
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
      queue.pop((_at, w0Lo, w0Hi, w1Lo, w1Hi) => apply(time, w0Lo, w0Hi, w1Lo, w1Hi));
    }
    if (queue.popped === queue.pushed) queue.freeAt = time;
  }

  /** CPU time that is not spent on commands. */
  spend(ns: Nanoseconds): void {
    this.cpuNs += ns;
  }

  command(_unit: number, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
    if (this.#count === BATCH) throw new RangeError(`a submission holds ${BATCH} commands at most`);
    const at = 4 * this.#count++;
    this.#batch[at] = w0Lo;
    this.#batch[at + 1] = w0Hi;
    this.#batch[at + 2] = w1Lo;
    this.#batch[at + 3] = w1Hi;
  }

  submit(unit: number): void {
    const costs = this.#costs;
    const count = this.#count;
    this.#count = 0;
    let queue = this.#queues.get(unit);
    if (queue === undefined) {
      queue = new CommandQueue();
      this.#queues.set(unit, queue);
      this.#queueList.push(queue);
    }
    const ready = this.#cpu < 0 ? this.#now : Math.max(this.#now, this.#waits.get(this.#cpu)?.until ?? 0);
    const written = (count + 1) * costs['cpu.command'] + costs['cpu.doorbell'];
    const submitted = ready + written;
    let done = Math.max(submitted + costs['queue.fetch'], queue.freeAt);
    for (let i = 0; i < count; i++) {
      const w0Lo = this.#batch[4 * i]!; // i is in range
      const type = vtdType(w0Lo);
      const device = type === VTD_TYPE.deviceTlb || type === VTD_TYPE.pasidDeviceTlb;
      done += device ? costs['queue.device-tlb'] : costs['queue.iotlb'];
      queue.push(done, w0Lo, this.#batch[4 * i + 1]!, this.#batch[4 * i + 2]!, this.#batch[4 * i + 3]!);
      this.byType[type]!++; // a type is in range
    }
    done += costs['queue.wait'];
    queue.freeAt = done;
    if (this.#cpu >= 0) this.#waits.set(this.#cpu, { until: done, queue, last: queue.pushed });
    this.#now = done;
    this.commands += count;
    this.syncs++;
    this.doorbells++;
    this.stallNs += done - submitted;
    this.cpuNs += written + (done - submitted);
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
