import type { Nanoseconds } from '../../traces/units.ts';
import type { RecordedOutcome } from './dirty-result.ts';

/** Changes of throttling that are kept. */
const MOST_CHANGES = 10_000;
const MILLISECOND = 1e6;
const ENDS: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

/** From `timeNs` on the machine's CPUs are held back for `percent` of the time. */
export interface HeldBack {
  readonly timeNs: Nanoseconds;
  readonly percent: number;
}

/** A migration as QEMU told its management; null where it did not say. Pages are 4 KiB. */
export interface RecordedMigration {
  readonly linkBytesPerSecond: number | null;
  readonly downtimeLimitNs: Nanoseconds | null;
  readonly outcome: RecordedOutcome;
  /** What the recording sets of `precopy.*`, by name. */
  readonly parameters: ReadonlyMap<string, number>;
}

/** Names of QEMU's migration parameters (qapi/migration.json) and of ours, with the least and largest value. */
const SET: readonly (readonly [string, string, number, number])[] = [
  ['cpu-throttle-initial', 'precopy.throttle-initial', 1, 99],
  ['cpu-throttle-increment', 'precopy.throttle-increment', 1, 99],
  ['max-cpu-throttle', 'precopy.throttle-max', 1, 99],
  ['throttle-trigger-threshold', 'precopy.throttle-trigger', 1, 100],
];

/** Collects what a trace tells of a migration by QEMU. */
export class MigrationRecord {
  /** Pages of the machine's memory; 0: not told. */
  ramPages = 0;
  readonly held: HeldBack[] = [];
  readonly #parameters = new Map<string, number>();
  #told = false;
  #link: number | null = null;
  #limit: Nanoseconds | null = null;
  #completed = false;
  #passes: number | null = null;
  #sent: number | null = null;
  #zero: number | null = null;
  #total: Nanoseconds | null = null;
  #downtime: Nanoseconds | null = null;
  #throttle = 0;

  throttled(timeNs: Nanoseconds, percent: number): void {
    if (!(percent >= 0 && percent <= 99)) return;
    this.#throttle = Math.max(this.#throttle, percent);
    if (this.held.length < MOST_CHANGES) this.held.push({ timeNs, percent });
  }

  /** A migration that is over holds nobody back. */
  state(timeNs: Nanoseconds, name: string): void {
    if (ENDS.has(name) && (this.held.at(-1)?.percent ?? 0) > 0) this.throttled(timeNs, 0);
  }

  /** JSON of an answer, or of what management set. */
  report(json: string): void {
    let document: unknown;
    try {
      document = JSON.parse(json);
    } catch {
      // no JSON: nothing that could be told
      return;
    }
    const answer = member(document, 'query-migrate');
    if (answer !== undefined) this.#answered(answer);
    const set = member(document, 'migrate-set-parameters');
    if (set !== undefined) this.#set(set);
    const capabilities = member(member(document, 'migrate-set-capabilities'), 'capabilities');
    for (const one of Array.isArray(capabilities) ? (capabilities as readonly unknown[]) : []) {
      if (member(one, 'capability') !== 'auto-converge') continue;
      this.#parameters.set('precopy.auto-converge', member(one, 'state') === true ? 1 : 0);
    }
  }

  /** Null where nothing was told. */
  result(): RecordedMigration | null {
    if (!this.#told && this.#throttle === 0 && this.#parameters.size === 0) return null;
    const parameters = new Map(this.#parameters);
    if (this.#throttle > 0) parameters.set('precopy.auto-converge', 1);
    if (this.#zero !== null && this.ramPages > 0) {
      parameters.set('precopy.zero-share', Math.min(100, (100 * this.#zero) / this.ramPages));
    }
    return {
      linkBytesPerSecond: this.#link,
      downtimeLimitNs: this.#limit,
      outcome: {
        completed: this.#completed,
        passes: this.#passes,
        memoryPages: this.ramPages === 0 ? null : this.ramPages,
        sentPages: this.#sent,
        zeroPages: this.#zero,
        totalNs: this.#total,
        downtimeNs: this.#downtime,
        throttle: this.#throttle,
      },
      parameters,
    };
  }

  #answered(answer: unknown): void {
    const ram = member(answer, 'ram');
    const total = numberOf(ram, 'total', 2 ** 52);
    if (total !== null && total > 0) this.ramPages = Math.max(this.ramPages, Math.ceil(total / 4096));
    const state = member(answer, 'status');
    if (ram === undefined) return;
    this.#told = true;
    this.#completed = state === 'completed';
    this.#passes = numberOf(ram, 'dirty-sync-count') ?? this.#passes;
    this.#sent = numberOf(ram, 'normal') ?? this.#sent;
    this.#zero = numberOf(ram, 'duplicate') ?? this.#zero;
    this.#total = milliseconds(answer, 'total-time') ?? this.#total;
    this.#downtime = milliseconds(answer, 'downtime') ?? this.#downtime;
  }

  #set(given: unknown): void {
    this.#told = true;
    // 0: no limit
    const link = numberOf(given, 'max-bandwidth', 1e15) ?? 0;
    if (link > 0) this.#link = link;
    this.#limit = milliseconds(given, 'downtime-limit') ?? this.#limit;
    for (const [theirs, ours, low, high] of SET) {
      const value = numberOf(given, theirs, high);
      if (value !== null && value >= low) this.#parameters.set(ours, value);
    }
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** A whole number from 0 to `most`. */
function numberOf(value: unknown, name: string, most: number = Number.MAX_SAFE_INTEGER): number | null {
  const found = member(value, name);
  return typeof found === 'number' && Number.isSafeInteger(found) && found >= 0 && found <= most ? found : null;
}

function milliseconds(value: unknown, name: string): Nanoseconds | null {
  const found = numberOf(value, name, 1e10);
  return found === null ? null : found * MILLISECOND;
}
