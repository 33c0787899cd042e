import { BinaryHeap } from '../binary-heap.ts';
import type { CpuRecords } from './cpu-records.ts';

/** A CPU that has records, and its place among those that were named. */
interface Entry {
  readonly cpu: CpuRecords;
  readonly index: number;
}

function isBefore(a: Entry, b: Entry): boolean {
  const one = a.cpu.time;
  const other = b.cpu.time;
  return one < other || (one === other && a.index < b.index);
}

/**
 * Brings the records of all CPUs into the order in which tracefs prints them: by time, and at equal times the CPU that was named
 * first. A CPU's own records keep their order, also where its clock went back.
 */
export class MergedRecords {
  readonly #heap = new BinaryHeap<Entry>(isBefore);
  #current: CpuRecords | undefined;
  /** The current CPU's records come first up to here; `#inclusive` tells at equality. */
  #limit = Number.NEGATIVE_INFINITY;
  #inclusive = false;

  constructor(cpus: readonly CpuRecords[]) {
    cpus.forEach((cpu, index) => {
      if (cpu.live) this.#heap.add({ cpu, index });
    });
    this.#choose();
  }

  /** Whose record is next; undefined at the end. Take it, and `advance` that CPU before asking again. */
  next(): CpuRecords | undefined {
    const current = this.#current;
    if (current?.live === true) {
      const { time } = current;
      if (time < this.#limit || (this.#inclusive && time === this.#limit)) return current;
    }
    // Runs of one CPU's records are long; only at their end are CPUs compared.
    if (current?.live === false) this.#heap.removeFirst();
    else this.#heap.firstChanged();
    this.#choose();
    return this.#current;
  }

  #choose(): void {
    const { first, second } = this.#heap;
    this.#current = first?.cpu;
    this.#limit = second?.cpu.time ?? Number.POSITIVE_INFINITY;
    this.#inclusive = first !== undefined && (second === undefined || first.index < second.index);
  }
}
