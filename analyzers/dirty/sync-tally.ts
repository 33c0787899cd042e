import type { Nanoseconds } from '../../traces/units.ts';

/** QEMU's counter of dirty pages starts again with the first synchronisation after this (migration/ram.c, migration_bitmap_sync). */
const PERIOD_NS = 1_000_000_000;
/** Synchronisations, states and changes of throttling listed. */
const MOST_LISTED = 10_000;

/** One synchronisation of QEMU's dirty bitmap. */
export interface SyncReport {
  /** Event at which it ended. */
  readonly event: number;
  readonly startNs: Nanoseconds;
  readonly durationNs: Nanoseconds;
  /** Different pages that became dirty, by the log, from the start of the synchronisation before to that of this one. */
  readonly pages: number;
  /** What QEMU's counter grew by. */
  readonly reported: number;
  /** Of `pages`: those that were still to be sent since an earlier synchronisation. QEMU counts such a page once. */
  readonly waiting: number;
  /** Pages that became dirty, by the log, while it ran: it may have collected them, or left them to the next. */
  readonly meanwhile: number;
  /** Null for the first: it begins the tracking, and what was written before is sent anyway. */
  readonly agrees: boolean | null;
  /** Why it does not; null where it does. */
  readonly why: string | null;
}

/** A migration as QEMU logged it. */
export interface MigrationReport {
  readonly syncs: readonly SyncReport[];
  /** Of those after the first: how many agree, how many of the others differ by exactly `waiting`, and the sums of both. */
  readonly compared: number;
  readonly agreed: number;
  readonly explained: number;
  readonly pages: number;
  readonly reported: number;
  /** Passes that were logged; null where none was. The last that QEMU told its management; null where it was not asked. */
  readonly passes: number | null;
  readonly passesReported: number | null;
  readonly sentPages: number;
  /** In percent of the CPUs' time, as it was raised. */
  readonly throttle: readonly { readonly timeNs: Nanoseconds; readonly percent: number }[];
  readonly states: readonly { readonly timeNs: Nanoseconds; readonly state: string }[];
}

/** Compares what QEMU's log says became dirty with what QEMU counted. */
export class SyncTally {
  sentPages = 0;
  passes: number | null = null;
  passesReported: number | null = null;
  /** Memory of the machine in bytes, as QEMU told; null where it did not. */
  memoryBytes: number | null = null;
  readonly #throttle: { timeNs: Nanoseconds; percent: number }[] = [];
  readonly #states: { timeNs: Nanoseconds; state: string }[] = [];
  readonly #syncs: SyncReport[] = [];
  #start: Nanoseconds = -1;
  #periodStart: Nanoseconds = -1;
  #base = 0;
  #pages = 0;
  #waiting = 0;
  #count = 0;
  #agreed = 0;
  #explained = 0;
  #pageSum = 0;
  #reportedSum = 0;
  #before = 0;

  get running(): boolean {
    return this.#start >= 0;
  }

  /** `pages`: different ones that became dirty since the start before; `waiting`: those of them that were still to be sent. */
  started(at: Nanoseconds, pages: number, waiting: number): void {
    this.#start = at;
    this.#pages = pages;
    this.#waiting = waiting;
    if (this.#periodStart < 0) this.#periodStart = at;
  }

  /** `count`: QEMU's counter; `meanwhile`: different pages that became dirty while it ran. */
  ended(event: number, at: Nanoseconds, count: number, meanwhile: number): void {
    // without its start the log was cut
    if (this.#start < 0) return;
    const startNs = this.#start;
    this.#start = -1;
    const reported = count - this.#base;
    const first = this.#count++ === 0;
    const agrees = first ? null : this.#pages === reported;
    if (!first) {
      if (agrees === false && this.#pages - this.#waiting === reported) this.#explained++;
      this.#pageSum += this.#pages;
      this.#reportedSum += reported;
      if (agrees === true) this.#agreed++;
    }
    if (this.#syncs.length < MOST_LISTED) {
      const why = agrees === false ? this.#why(reported, meanwhile) : null;
      const pages = { pages: this.#pages, reported, waiting: this.#waiting, meanwhile };
      this.#syncs.push({ event, startNs, durationNs: at - startNs, ...pages, agrees, why });
    }
    this.#before = meanwhile;
    const restarts = at > this.#periodStart + PERIOD_NS;
    this.#base = restarts ? 0 : count;
    if (restarts) this.#periodStart = at;
  }

  throttled(timeNs: Nanoseconds, percent: number): void {
    if (this.#throttle.length < MOST_LISTED) this.#throttle.push({ timeNs, percent });
  }

  state(timeNs: Nanoseconds, state: string): void {
    // the log has a line for what was asked for and one for what became of it
    if (this.#states.length < MOST_LISTED && this.#states.at(-1)?.state !== state) this.#states.push({ timeNs, state });
  }

  /** QEMU's answer to its management, as JSON: memory and passes. */
  answered(json: string): void {
    let ram: { readonly [name: string]: unknown } | undefined;
    try {
      const document = JSON.parse(json) as { readonly 'query-migrate'?: { readonly ram?: typeof ram } } | null;
      ram = document?.['query-migrate']?.ram;
    } catch {
      // no JSON: nothing that could be told
      return;
    }
    const passes = ram?.['dirty-sync-count'];
    const total = ram?.['total'];
    if (typeof passes === 'number') this.passesReported = passes;
    if (typeof total === 'number' && total > 0) this.memoryBytes = total;
  }

  /** Null where nothing was synchronised. */
  report(): MigrationReport | null {
    if (this.#count === 0) return null;
    return {
      syncs: this.#syncs,
      compared: this.#count - 1,
      agreed: this.#agreed,
      explained: this.#explained,
      pages: this.#pageSum,
      reported: this.#reportedSum,
      passes: this.passes,
      passesReported: this.passesReported,
      sentPages: this.sentPages,
      throttle: this.#throttle,
      states: this.#states,
    };
  }

  #why(reported: number, meanwhile: number): string {
    const more = reported - this.#pages;
    if (more < 0 && -more === this.#waiting) {
      return `${-more} fewer: so many of the pages were still to be sent since an earlier synchronisation, and QEMU counts a page once`;
    }
    if (more > 0 && more <= meanwhile) {
      return `${more} more were counted than became dirty before it began; ${meanwhile} became dirty while it ran`;
    }
    if (more < 0 && -more <= this.#before) {
      return `${-more} fewer were counted; ${this.#before} became dirty while the one before ran, which may have collected them`;
    }
    return more > 0 ? `${more} more were counted than the log shows` : `${-more} fewer were counted than the log shows`;
  }
}
