import type { Nanoseconds } from '../../traces/units.ts';
import type { QueueCosts } from './queue-costs.ts';

/** Invalidations that a unit has out to devices at once: the ITag of a PCIe Invalidate Request has 5 bits (PCIe 10.3.1). */
const DEVICE_TAGS = 32;

/**
 * The hardware end of a command queue: takes commands in order, one after the other. What is for a device's TLB is sent out, and
 * the unit goes on while the device works; a wait is done when all before it are.
 */
export class UnitPipeline {
  /** When the unit begins with the next command. */
  free: Nanoseconds = 0;
  busyNs: Nanoseconds = 0;
  /** When the newest commands began. */
  began: Nanoseconds = 0;
  readonly #costs: QueueCosts;
  /** When the device of each of the newest commands has answered. */
  readonly #answers = new Float64Array(DEVICE_TAGS);
  #sent = 0;
  #answered: Nanoseconds = 0;

  constructor(costs: QueueCosts) {
    this.#costs = costs;
  }

  /** The tail was written: what follows stands in the queue. */
  handed(time: Nanoseconds): void {
    this.free = Math.max(this.free, time + this.#costs.fetchNs);
    this.began = this.free;
  }

  /** Takes a command for the IOTLB, or whatever the unit does by itself. Returns when it takes effect. */
  own(): Nanoseconds {
    this.free += this.#costs.iotlbNs;
    this.busyNs += this.#costs.iotlbNs;
    return this.free;
  }

  /** Takes a command for a device. Returns when the device has answered. */
  device(deviceNs: Nanoseconds): Nanoseconds {
    const slot = this.#sent++ % DEVICE_TAGS;
    const from = Math.max(this.free, this.#answers[slot]!); // in range
    const answer = from + deviceNs;
    this.#answers[slot] = answer;
    if (answer > this.#answered) this.#answered = answer;
    // sending it takes what any command takes, unless the device is faster than that
    this.free = from + Math.min(this.#costs.iotlbNs, deviceNs);
    this.busyNs += this.free - from;
    return answer;
  }

  /** Takes a wait. Returns when its status is written. */
  wait(): Nanoseconds {
    const { waitNs } = this.#costs;
    const done = Math.max(this.free, this.#answered) + waitNs;
    this.free += waitNs;
    this.busyNs += waitNs;
    return done;
  }
}
