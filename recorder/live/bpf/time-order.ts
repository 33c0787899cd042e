import { BinaryHeap } from '../../../traces/binary-heap.ts';

/** Something that happened, and what to do with it when its turn comes. */
interface Step {
  readonly time: number;
  /** How many came before it: of equal times the first stays first. */
  readonly number: number;
  /** Is given a time that never goes back. */
  readonly take: (now: number) => void;
}

/** Steps that are held at most; then the oldest goes although an older one may still come. */
const MAX_HELD = 262_144;
/**
 * A CPU that reported nothing for so long was switched off, and is not waited for. On a machine that is busy bpftrace reads the
 * lines of many seconds from one CPU's buffer before it turns to the next.
 */
const SILENT_NS = 30_000_000_000;

/**
 * Brings what several CPUs report into the order of time. Each CPU's own reports come in order, and each reports from time to
 * time that it is there: what is older than the last report of all of them is complete. Times in ns.
 */
export class TimeOrder {
  readonly #reported = new Map<number, number>();
  #newestReport = Number.NEGATIVE_INFINITY;
  #firstReport = Number.POSITIVE_INFINITY;
  /** CPUs that report; 0: nobody knows how many. */
  cpus = 0;
  readonly #steps = new BinaryHeap<Step>((a, b) => a.time < b.time || (a.time === b.time && a.number < b.number));
  #added = 0;
  #last = Number.NEGATIVE_INFINITY;
  /** Steps that came when later ones had gone already. */
  late = 0;

  /** Of the last step that was taken; 0 if none was. */
  get now(): number {
    return Math.max(0, this.#last);
  }

  add(time: number, take: (now: number) => void): void {
    if (time < this.#last) this.late++;
    this.#steps.add({ time, number: this.#added++, take });
    if (this.#steps.size > MAX_HELD) this.#next();
  }

  report(cpu: number, time: number): void {
    if (time < this.#firstReport) this.#firstReport = time;
    if (time > (this.#reported.get(cpu) ?? Number.NEGATIVE_INFINITY)) this.#reported.set(cpu, time);
    if (time > this.#newestReport) this.#newestReport = time;
  }

  /** Takes what is complete, and returns up to which time all is. */
  release(): number {
    const whole = this.cpus > 0 && this.#reported.size >= this.cpus;
    if (!whole && this.#newestReport - this.#firstReport < SILENT_NS) return Number.NEGATIVE_INFINITY;
    let least = this.#newestReport;
    for (const time of this.#reported.values()) {
      // A CPU that was switched off reports no more.
      if (time < least && time > this.#newestReport - SILENT_NS) least = time;
    }
    this.#until(least);
    return least;
  }

  /** All that is left. */
  finish(): void {
    this.#until(Number.POSITIVE_INFINITY);
  }

  #until(time: number): void {
    while ((this.#steps.first?.time ?? Number.POSITIVE_INFINITY) < time) this.#next();
  }

  #next(): void {
    const step = this.#steps.removeFirst();
    if (step === undefined) return;
    if (step.time > this.#last) this.#last = step.time;
    step.take(this.#last);
  }
}
