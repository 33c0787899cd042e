/** What could not be read, was dropped or was skipped on purpose, by name, with the first places where it happened. */

export type HealthKind = 'malformed' | 'unknown' | 'lost' | 'truncated' | 'ignored';

/** One kind of loss, with where it was first seen. */
export interface HealthEntry {
  readonly kind: HealthKind;
  /** What it was: an event name, a column, a rule. */
  readonly name: string;
  count: number;
  /** First places, as text: `trace.txt:812` or `run.iorr at byte 4096`. At most `FIRST_PLACES`. */
  readonly first: string[];
}

/** What could not be read or was lost, counted. */
export interface HealthReport {
  readonly malformed: number;
  readonly unknown: number;
  readonly lost: number;
  readonly truncated: number;
  /** Known but not carried by the trace (info, not a loss): interrupt remapping lines, register writes, ... */
  readonly ignored: number;
  readonly entries: readonly HealthEntry[];
}

const FIRST_PLACES = 5;
/** Distinct names kept; what comes after is counted under `(other)`, so that hostile input can't fill memory. */
const MAX_ENTRIES = 1000;

/** Mutable counters; `report()` gives the plain data that results carry. */
export class Health {
  readonly #entries = new Map<string, HealthEntry>();

  add(kind: HealthKind, name: string, place?: string, count = 1): void {
    let key = `${kind} ${name}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size >= MAX_ENTRIES) key = `${kind} (other)`;
      entry = this.#entries.get(key);
      if (entry === undefined) {
        entry = { kind, name: key.slice(kind.length + 1), count: 0, first: [] };
        this.#entries.set(key, entry);
      }
    }
    entry.count += count;
    if (place !== undefined && entry.first.length < FIRST_PLACES) entry.first.push(place);
  }

  /** Adds every entry of a stored report. */
  merge(report: HealthReport): void {
    for (const from of report.entries) {
      this.add(from.kind, from.name, undefined, from.count);
      const entry = this.#entries.get(`${from.kind} ${from.name}`);
      for (const place of from.first) if (entry && entry.first.length < FIRST_PLACES) entry.first.push(place);
    }
  }

  total(kind: HealthKind): number {
    let sum = 0;
    for (const entry of this.#entries.values()) if (entry.kind === kind) sum += entry.count;
    return sum;
  }

  report(): HealthReport {
    return {
      malformed: this.total('malformed'),
      unknown: this.total('unknown'),
      lost: this.total('lost'),
      truncated: this.total('truncated'),
      ignored: this.total('ignored'),
      entries: [...this.#entries.values()].map((entry) => ({ ...entry, first: [...entry.first] })),
    };
  }
}
