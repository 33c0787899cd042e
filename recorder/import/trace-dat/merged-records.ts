import type { CpuRecords } from './cpu-records.ts';

/**
 * Brings the records of all CPUs into the order in which tracefs prints them: by time, and at equal times the CPU that was named
 * first. A CPU's own records keep their order, also where its clock went back.
 */
export class MergedRecords {
  readonly #cpus: readonly CpuRecords[];
  #current: CpuRecords | undefined;
  /** The current CPU's records come first up to here; `#first` tells at equality. */
  #limit = Number.NEGATIVE_INFINITY;
  #inclusive = false;

  constructor(cpus: readonly CpuRecords[]) {
    this.#cpus = cpus;
  }

  /** Whose record is next; undefined at the end. Take it, and `advance` that CPU before asking again. */
  next(): CpuRecords | undefined {
    const current = this.#current;
    if (current?.live === true) {
      const { time } = current;
      if (time < this.#limit || (this.#inclusive && time === this.#limit)) return current;
    }
    return this.#choose();
  }

  /** Runs of one CPU's records are long; only at their end are all CPUs compared. */
  #choose(): CpuRecords | undefined {
    let best: CpuRecords | undefined;
    let bestAt = -1;
    let limit = Number.POSITIVE_INFINITY;
    let limitAt = -1;
    const cpus = this.#cpus;
    for (let i = 0; i < cpus.length; i++) {
      const cpu = cpus[i]!;
      if (!cpu.live) continue;
      const { time } = cpu;
      if (best === undefined || time < best.time) {
        if (best !== undefined) {
          limit = best.time;
          limitAt = bestAt;
        }
        best = cpu;
        bestAt = i;
      } else if (time < limit) {
        limit = time;
        limitAt = i;
      }
    }
    this.#current = best;
    this.#limit = limit;
    this.#inclusive = limitAt < 0 || bestAt < limitAt;
    return best;
  }
}
