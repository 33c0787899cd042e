/** Entries that a ring of 256 holds: one slot stays free to tell full from empty (drivers/iommu/dma-iommu.c, fq_full). */
export const RING_SIZE = 256;

/**
 * One domain's flush queue: a ring per CPU of unmapped ranges that wait for the next flush of the whole domain, and the
 * counters of flushes started and finished (drivers/iommu/dma-iommu.c, queue_iova).
 */
export class FlushQueue {
  /** Flushes begun and done. In one thread of time a flush is done when it is begun. */
  #started = 0;
  #finished = 0;
  timerOn = false;
  readonly #size: number;
  readonly #release: (entry: number) => void;
  readonly #rings = new Map<number, Ring>();

  /** `size`: slots of a ring; holds one less. `release` is called with each entry that a flush has covered. */
  constructor(size: number = RING_SIZE, release: (entry: number) => void = () => undefined) {
    this.#size = size;
    this.#release = release;
  }

  /** True if this CPU's ring must be flushed before it can take another entry. Frees what finished flushes allow. */
  mustFlush(cpu: number): boolean {
    const ring = this.#ring(cpu);
    ring.release(this.#finished, this.#release);
    return ring.full;
  }

  /** A flush of the whole domain. */
  flushed(): void {
    this.#started++;
    this.#finished++;
  }

  /** Adds an entry (any number) to the CPU's ring, which must not be full. */
  add(cpu: number, entry: number): void {
    const ring = this.#ring(cpu);
    ring.release(this.#finished, this.#release);
    ring.push(this.#started, entry);
  }

  /** The timer ran out: after the flush every CPU's ring is emptied of what it covers. */
  releaseAll(): void {
    for (const ring of this.#rings.values()) ring.release(this.#finished, this.#release);
  }

  /** Entries waiting on a CPU. */
  held(cpu: number): number {
    return this.#rings.get(cpu)?.count ?? 0;
  }

  #ring(cpu: number): Ring {
    let ring = this.#rings.get(cpu);
    if (ring === undefined) {
      ring = new Ring(this.#size);
      this.#rings.set(cpu, ring);
    }
    return ring;
  }
}

class Ring {
  /** Flushes started when the entry was added. */
  readonly #stamps: Float64Array;
  readonly #entries: Float64Array;
  #head = 0;
  count = 0;

  constructor(size: number) {
    this.#stamps = new Float64Array(size);
    this.#entries = new Float64Array(size);
  }

  get full(): boolean {
    return this.count >= this.#stamps.length - 1;
  }

  push(stamp: number, entry: number): void {
    const at = (this.#head + this.count) % this.#stamps.length;
    this.#stamps[at] = stamp;
    this.#entries[at] = entry;
    this.count++;
  }

  release(finished: number, give: (entry: number) => void): void {
    while (this.count > 0 && (this.#stamps[this.#head] ?? 0) < finished) {
      give(this.#entries[this.#head] ?? 0);
      this.#head = (this.#head + 1) % this.#stamps.length;
      this.count--;
    }
  }
}
