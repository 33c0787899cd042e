import type { DeviceFault } from './device-fault.ts';
import type { IopfQueue } from './iopf-queue.ts';
import type { PageRequestQueue, QueueHost } from './queues/page-request-queue.ts';

/** What became of a record that the hardware had to write. */
export type Received = 'queued' | 'held' | 'lost';

/**
 * One unit's queue of page requests with its driver and no time: records go in, the driver drains them, commands come out. As
 * many entries as asked for; on overflow as the architecture says, and as Linux does then.
 */
export class PageRequestUnit {
  readonly #queue: PageRequestQueue;
  readonly #host: QueueHost;
  readonly #faults: IopfQueue;
  readonly #capacity: number;
  #records: (readonly bigint[])[] = [];
  #held: (readonly bigint[])[] = [];
  /** Requests were lost, and the driver has not cleared that. */
  overflowing = false;
  /** Commands that answer requests, in the order in which the driver writes them. */
  readonly commands: (readonly bigint[])[] = [];
  /** Records for the event queue of a vIOMMU. */
  readonly events: (readonly bigint[])[] = [];
  /** Lost last requests that the hardware answered with success, and lost requests that nobody answers. */
  hardwareAnswers = 0;
  unanswered = 0;
  lost = 0;
  discarded = 0;

  /** `faults`: the common layer, which answers through `respond` of this unit. */
  constructor(queue: PageRequestQueue, host: QueueHost, entries: number, faults: IopfQueue) {
    this.#queue = queue;
    this.#host = host;
    this.#faults = faults;
    this.#capacity = entries - queue.timing.spare;
  }

  /** Entries in use. */
  get waiting(): number {
    return this.#records.length;
  }

  /** The hardware writes a record; `last`: its device waits for an answer. */
  receive(record: readonly bigint[], last: boolean): Received {
    const { timing } = this.#queue;
    if (!this.overflowing && this.#records.length < this.#capacity) {
      this.#records.push(record);
      return 'queued';
    }
    if (timing.full === 'hold') {
      this.#held.push(record);
      return 'held';
    }
    this.overflowing ||= timing.overflow === 'until-drained';
    this.lost++;
    if (last && timing.lost === 'success') this.hardwareAnswers++;
    else if (last) this.unanswered++;
    return 'lost';
  }

  /** The driver handles all that is there, then clears an overflow (partial groups are dropped where Linux does so). */
  drain(): void {
    do {
      const records = this.#records;
      this.#records = this.#held.splice(0, this.#capacity);
      for (const record of records) this.#take(record);
    } while (this.#records.length > 0);
    if (!this.overflowing) return;
    if (this.#queue.timing.discards) this.discarded += this.#faults.discardPartial();
    this.overflowing = false;
  }

  /** The driver's page_response. */
  respond(rid: number, fault: DeviceFault, code: number): void {
    this.commands.push(this.#queue.respond(rid, fault, code));
  }

  #take(record: readonly bigint[]): void {
    const taken = this.#queue.take(record, this.#host);
    if (taken.kind === 'report') this.#faults.report(taken.rid, taken.fault);
    else if (taken.kind === 'answer') this.commands.push(taken.command);
    else if (taken.kind === 'event') this.events.push(taken.record);
  }
}
