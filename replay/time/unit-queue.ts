import type { Nanoseconds } from '../../traces/units.ts';
import { BusySeries } from './busy-series.ts';
import type { QueueCosts } from './queue-costs.ts';
import type { QueueRules } from './queue-rules.ts';
import { UnitPipeline } from './unit-pipeline.ts';

/** Entries of one submission in the ring, until its submitter has seen them done. */
export interface RingPart {
  readonly entries: number;
  seen: boolean;
}

/** One command queue: its lock, its ring and the hardware behind it. */
export class UnitQueue {
  /** Number in its `CommandTiming`. */
  readonly id: number;
  readonly unit: number;
  /** Of the unit's queues. */
  readonly index: number;
  readonly hardware: UnitPipeline;
  /** When the lock is given back, or the newest place in the ring was taken. */
  lockFree: Nanoseconds = 0;
  lockNs: Nanoseconds = 0;
  /** Of that, for looks at completions. */
  lookNs: Nanoseconds = 0;
  commands = 0;
  tailWrites = 0;
  deepest = 0;
  fullStalls = 0;
  fullStallNs: Nanoseconds = 0;
  readonly busy = new BusySeries();
  readonly #rules: QueueRules;
  readonly #entries: number;
  /** Freed when seen: entries in the ring, and whose they are. */
  #used = 0;
  #parts: RingPart[] = [];
  #first = 0;
  /** Freed when taken: when the hardware takes each entry, by number of the entry modulo the size. */
  readonly #taken: Float64Array;
  #written = 0;
  #gone = 0;
  /** Places that are taken, and not published. */
  #reserved = 0;

  constructor(id: number, unit: number, index: number, costs: QueueCosts, rules: QueueRules) {
    this.id = id;
    this.unit = unit;
    this.index = index;
    this.#rules = rules;
    this.#entries = costs.entries;
    this.#taken = new Float64Array(rules.freed === 'taken' ? costs.entries : 0);
    this.hardware = new UnitPipeline(costs);
  }

  /** The lock is held. */
  hold(from: Nanoseconds, to: Nanoseconds): void {
    this.lockNs += to - from;
    this.lockFree = to;
  }

  /**
   * When there is room for so many entries, seen from `time`: `time` itself, a later time, or infinity where that depends on what
   * other submitters do next. A submission larger than the ring has room when the ring is empty.
   */
  roomAt(entries: number, time: Nanoseconds): Nanoseconds {
    const need = entries + this.#rules.spare;
    if (this.#rules.freed === 'seen') {
      return this.#used === 0 || this.#used + need <= this.#entries ? time : Number.POSITIVE_INFINITY;
    }
    this.#forget(time);
    const over = this.#written - this.#gone + this.#reserved + need - this.#entries;
    if (over <= 0 || this.#written - this.#gone + this.#reserved === 0) return time;
    // what must go first is not even published
    if (over > this.#written - this.#gone && this.#reserved > 0) return Number.POSITIVE_INFINITY;
    const last = Math.min(this.#gone + over, this.#written) - 1;
    return this.#taken[last % this.#entries]!; // in range
  }

  /** Entries are written into the ring; whose they are, where they must be seen done. */
  write(entries: number, time: Nanoseconds): RingPart | undefined {
    if (this.#rules.freed === 'taken') {
      this.#forget(time);
      this.deepest = Math.max(this.deepest, this.#written - this.#gone + entries);
      return undefined;
    }
    this.#used += entries;
    if (this.#used > this.deepest) this.deepest = this.#used;
    const part = { entries, seen: false };
    this.#parts.push(part);
    return part;
  }

  /** As `write`, before the entries are published. */
  reserve(entries: number, time: Nanoseconds): void {
    this.#forget(time);
    this.#reserved += entries;
    this.deepest = Math.max(this.deepest, this.#written - this.#gone + this.#reserved);
  }

  /** What was reserved goes to the hardware. */
  publish(): void {
    this.#reserved = 0;
  }

  /** The hardware takes one entry at a time. */
  took(time: Nanoseconds): void {
    if (this.#rules.freed !== 'taken') return;
    if (this.#written - this.#gone >= this.#entries) this.#gone++;
    this.#taken[this.#written++ % this.#entries] = time;
  }

  /** A submitter saw its entries done: those at the head that all have seen are free. True if some are. */
  see(part: RingPart): boolean {
    part.seen = true;
    let freed = false;
    while (this.#parts[this.#first]?.seen === true) {
      this.#used -= this.#parts[this.#first]!.entries; // just looked at
      this.#first++;
      freed = true;
    }
    if (this.#first > 64 && 2 * this.#first > this.#parts.length) {
      this.#parts = this.#parts.slice(this.#first);
      this.#first = 0;
    }
    return freed;
  }

  #forget(time: Nanoseconds): void {
    while (this.#gone < this.#written && this.#taken[this.#gone % this.#entries]! <= time) this.#gone++;
  }
}
