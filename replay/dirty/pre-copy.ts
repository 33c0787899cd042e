import type { Nanoseconds } from '../../traces/units.ts';
import type { DirtyParameter } from './dirty-parameters.ts';
import type { HarvestCosts, PartTime } from './harvest-costs.ts';
import type { Migration, MigrationPass } from './dirty-result.ts';
import type { Tracking } from './tracking.ts';

const PAGE_BYTES = 4096;
/** Before each page, its offset and flags; a page of zeroes is one byte more (QEMU, migration/ram.c, save_page_header). */
const HEADER_BYTES = 8;
const ZERO_BYTES = HEADER_BYTES + 1;
const SECOND = 1e9;
/** QEMU throttles when it was too much this often in a row (migration/ram.c, migration_trigger_throttle). */
const TIMES = 2;

export interface PreCopyOptions {
  readonly costs: HarvestCosts;
  readonly parameter: DirtyParameter;
  readonly threads: number;
  readonly linkBytesPerSecond: number;
  readonly downtimeLimitNs: Nanoseconds;
}

/** Holds back the writers as QEMU's auto-converge does: looked at once a second at most (migration/ram.c). */
class Throttle {
  /** Share of the time in which writers are held back, in percent. */
  percent = 0;
  readonly #parameter: DirtyParameter;
  #dirty = 0;
  #sent = 0;
  #since = 0;
  #high = 0;

  constructor(parameter: DirtyParameter) {
    this.#parameter = parameter;
  }

  /** A harvest found `dirty` bytes after `sent` were sent. */
  harvested(now: Nanoseconds, sent: number, dirty: number): void {
    const parameter = this.#parameter;
    this.#sent += sent;
    this.#dirty += dirty;
    if (parameter('precopy.auto-converge') === 0 || now - this.#since <= SECOND) return;
    if (this.#dirty > (this.#sent * parameter('precopy.throttle-trigger')) / 100 && ++this.#high >= TIMES) {
      this.#high = 0;
      const next = this.percent === 0 ? 'precopy.throttle-initial' : 'precopy.throttle-increment';
      this.percent = Math.min(parameter('precopy.throttle-max'), this.percent + parameter(next));
    }
    this.#since = now;
    this.#dirty = 0;
    this.#sent = 0;
  }
}

/**
 * Pre-copy migration: all memory is sent while the writers go on, then what a harvest reports, until the rest can be sent within
 * the downtime; what is over-reported is sent too. The stream of writes goes by in its own time, slower when throttled, and
 * begins again where the migration takes longer.
 */
export function preCopy(tracking: Tracking, options: PreCopyOptions): Migration {
  const { costs, parameter, threads, linkBytesPerSecond, downtimeLimitNs } = options;
  const order = parameter('dirty.order');
  const most = parameter('precopy.passes');
  const wall = (parts: readonly PartTime[]): Nanoseconds => costs.wall(parts, threads, order);
  const bytesOf = (pages: number, zero = 0): number => (pages - zero) * (HEADER_BYTES + PAGE_BYTES) + zero * ZERO_BYTES;
  const onLink = (bytes: number): Nanoseconds => (bytes / linkBytesPerSecond) * SECOND;
  const throttle = new Throttle(parameter);
  const passes: MigrationPass[] = [];
  const memory = tracking.pages;
  const startNs = wall(tracking.start());
  let now = startNs;
  let sent = 0;
  let missed = 0;
  let toSend = memory;
  // what is sent again was written, and is not zero
  const zeroPages = Math.round((memory * parameter('precopy.zero-share')) / 100);
  let sentBytes = 0;
  let downtimeNs: Nanoseconds | null = null;
  const pass = (ns: Nanoseconds): void => {
    tracking.play(ns * (1 - throttle.percent / 100));
    now += ns;
  };
  pass(0);
  while (passes.length < most && downtimeNs === null) {
    const begun = now;
    const held = throttle.percent;
    const bytes = bytesOf(toSend, passes.length === 0 ? zeroPages : 0);
    pass(onLink(bytes));
    sent += toSend;
    sentBytes += bytes;
    const done = tracking.harvest();
    const harvestNs = wall(done.parts);
    pass(harvestNs);
    missed += done.missed;
    passes.push({
      startNs: begun,
      durationNs: now - begun,
      sent: toSend,
      dirty: done.written,
      reported: done.reported,
      missed: done.missed,
      harvestNs,
      throttle: held,
    });
    throttle.harvested(now, bytes, done.reported * PAGE_BYTES);
    toSend = done.reported;
    if (harvestNs + onLink(bytesOf(toSend)) > downtimeLimitNs) continue;
    // the machine stops; what it wrote during the last harvest takes one more
    const last = tracking.harvest();
    missed += last.missed;
    toSend += last.reported;
    downtimeNs = wall(last.parts) + onLink(bytesOf(toSend));
    sent += toSend;
    sentBytes += bytesOf(toSend);
    now += downtimeNs;
  }
  const stopNs = wall(tracking.stop());
  return {
    converged: downtimeNs !== null,
    downtimeNs,
    totalNs: now,
    passes,
    memoryPages: memory,
    sentPages: sent,
    zeroPages,
    sentBytes,
    resentPages: sent - Math.min(sent, memory),
    missedPages: missed,
    throttle: throttle.percent,
    harvestNs: passes.reduce((sum, one) => sum + one.harvestNs, 0),
    startNs,
    stopNs,
    repeats: tracking.repeats,
  };
}
