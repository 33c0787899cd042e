import type { Nanoseconds } from '../../../traces/units.ts';
import type { QueueTiming } from '../queues/queue-timing.ts';
import { IntFifo } from './int-fifo.ts';
import { LevelOverTime } from './level-over-time.ts';

/** What became of a record that came to the queue. */
export const ENTERED = { in: 0, held: 1, lost: 2 } as const;

/** The ring of records between the hardware and the driver. A record is any integer. */
export class HardwareQueue {
  readonly #timing: QueueTiming;
  readonly #capacity: number;
  /** Records that the driver has not taken. */
  readonly #records = new IntFifo();
  /** Records that wait for an entry. */
  readonly #held = new IntFifo();
  readonly occupancy = new LevelOverTime();
  overflowing = false;
  overflows = 0;
  overflowNs = 0;
  held = 0;
  lost = 0;
  offered = 0;
  #since = 0;
  #used = 0;

  constructor(timing: QueueTiming, entries: number) {
    this.#timing = timing;
    this.#capacity = Math.max(1, entries - timing.spare);
  }

  /** Records that the driver can take. */
  get waiting(): number {
    return this.#records.count;
  }

  enter(record: number, now: Nanoseconds): number {
    this.offered++;
    if (!this.overflowing && this.#used < this.#capacity) {
      this.#write(record, now);
      return ENTERED.in;
    }
    if (this.#timing.full === 'hold') {
      this.held++;
      this.#held.push(record);
      return ENTERED.held;
    }
    this.lost++;
    if (!this.overflowing) {
      this.overflows++;
      if (this.#timing.overflow === 'until-drained') {
        this.overflowing = true;
        this.#since = now;
      }
    }
    return ENTERED.lost;
  }

  take(now: Nanoseconds): number {
    const record = this.#records.shift();
    if (this.#timing.freed === 'taken') this.free(1, now);
    return record;
  }

  /** Entries are free again; records that waited for them go in. */
  free(entries: number, now: Nanoseconds): void {
    this.#used -= entries;
    while (this.#held.count > 0 && this.#used < this.#capacity) {
      this.#used++;
      this.#records.push(this.#held.shift());
    }
    this.occupancy.set(now, this.#used);
  }

  /** The driver clears the overflow. */
  clear(now: Nanoseconds): void {
    this.overflowing = false;
    this.overflowNs += now - this.#since;
  }

  #write(record: number, now: Nanoseconds): void {
    this.#used++;
    this.#records.push(record);
    this.occupancy.set(now, this.#used);
  }
}
