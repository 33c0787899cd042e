/**
 * Sub-buffers on their way from the thread that reads them to the one that decodes them: slots in shared memory, and two rings
 * of slot numbers, full ones one way and free ones the other. One writer and one reader each; nobody waits for anybody.
 */

/** Words of `control`. */
const FULL_HEAD = 0;
const FREE_HEAD = 1;
const STOP = 2;
const DONE = 3;
const READY = 4;
const FAILED = 5;
const CONTROL_WORDS = 8;

/** What both threads are given. */
export interface ExchangeMemory {
  readonly slotBytes: number;
  readonly slots: number;
  readonly data: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  /**
   * Everything of all CPUs up to this time has been handed over, ns of the trace's clock; and what the reading thread has used
   * of the processor, ns.
   */
  readonly horizon: SharedArrayBuffer;
  /** Slot number and CPU (position in the list of pipes) of full slots, then slot numbers of free ones. */
  readonly full: SharedArrayBuffer;
  readonly cpus: SharedArrayBuffer;
  readonly free: SharedArrayBuffer;
}

export function allocateExchange(slotBytes: number, bytes: number): ExchangeMemory {
  const slots = Math.max(4, Math.floor(bytes / slotBytes));
  return {
    slotBytes,
    slots,
    data: new SharedArrayBuffer(slots * slotBytes),
    control: new SharedArrayBuffer(CONTROL_WORDS * 4),
    horizon: new SharedArrayBuffer(16),
    full: new SharedArrayBuffer(slots * 4),
    cpus: new SharedArrayBuffer(slots * 4),
    free: new SharedArrayBuffer(slots * 4),
  };
}

/** One thread's view. Heads count up without end, as 32-bit words; positions are their remainders. */
export class PageExchange {
  readonly bytes: Uint8Array;
  readonly slotBytes: number;
  readonly #slots: number;
  readonly #control: Int32Array;
  readonly #horizon: BigInt64Array;
  readonly #full: Int32Array;
  readonly #cpus: Int32Array;
  readonly #free: Int32Array;
  /** Positions of this thread in the ring that it empties, and slots that were never used. */
  #taken = 0;
  #unused = 0;
  #again = -1;

  constructor(memory: ExchangeMemory) {
    this.bytes = new Uint8Array(memory.data);
    this.slotBytes = memory.slotBytes;
    this.#slots = memory.slots;
    this.#control = new Int32Array(memory.control);
    this.#horizon = new BigInt64Array(memory.horizon);
    this.#full = new Int32Array(memory.full);
    this.#cpus = new Int32Array(memory.cpus);
    this.#free = new Int32Array(memory.free);
  }

  /** For the thread that reads: a slot to fill, or -1. One that was given back comes first: memory that is not needed stays untouched. */
  takeFree(): number {
    if (this.#again >= 0) {
      const slot = this.#again;
      this.#again = -1;
      return slot;
    }
    const given = Atomics.load(this.#control, FREE_HEAD);
    if (this.#taken !== given) {
      const slot = this.#free[(this.#taken >>> 0) % this.#slots] ?? -1;
      this.#taken = (this.#taken + 1) | 0;
      return slot;
    }
    return this.#unused < this.#slots ? this.#unused++ : -1;
  }

  /** For the same thread: the slot was not needed after all. */
  putFreeAgain(slot: number): void {
    this.#again = slot;
  }

  putFull(slot: number, cpu: number): void {
    const head = Atomics.load(this.#control, FULL_HEAD);
    const at = (head >>> 0) % this.#slots;
    this.#full[at] = slot;
    this.#cpus[at] = cpu;
    Atomics.store(this.#control, FULL_HEAD, (head + 1) | 0);
  }

  publishHorizon(time: bigint): void {
    Atomics.store(this.#horizon, 0, time);
  }

  /** ns of processor that the reading thread has used; 0 where the kernel does not tell. */
  get cpuNs(): number {
    return Number(Atomics.load(this.#horizon, 1));
  }

  setCpuNs(ns: bigint): void {
    Atomics.store(this.#horizon, 1, ns);
  }

  /** For the thread that decodes. To be asked before the full slots are taken. */
  readHorizon(): bigint {
    return Atomics.load(this.#horizon, 0);
  }

  /** Hands each full slot to `take`, in the order in which they were filled; returns how many. */
  takeFull(take: (slot: number, cpu: number) => void): number {
    const head = Atomics.load(this.#control, FULL_HEAD);
    let count = 0;
    while (this.#taken !== head) {
      const at = (this.#taken >>> 0) % this.#slots;
      take(this.#full[at] ?? 0, this.#cpus[at] ?? 0);
      this.#taken = (this.#taken + 1) | 0;
      count++;
    }
    return count;
  }

  /** Part of the slots that hold something, 0 to 1. */
  get fill(): number {
    const used = (Atomics.load(this.#control, FULL_HEAD) - Atomics.load(this.#control, FREE_HEAD)) | 0;
    return Math.min(1, Math.max(0, used / this.#slots));
  }

  putFree(slot: number): void {
    const head = Atomics.load(this.#control, FREE_HEAD);
    this.#free[(head >>> 0) % this.#slots] = slot;
    Atomics.store(this.#control, FREE_HEAD, (head + 1) | 0);
  }

  stop(): void {
    Atomics.store(this.#control, STOP, 1);
    Atomics.notify(this.#control, STOP);
  }

  /** Sleeps for at most so long; true once it is time to stop. */
  rest(ms: number): boolean {
    // Once it is time to stop, only a slot to become free is waited for.
    if (Atomics.wait(this.#control, STOP, 0, ms) === 'not-equal') Atomics.wait(this.#control, DONE, 0, 1);
    return Atomics.load(this.#control, STOP) !== 0;
  }

  get ready(): boolean {
    return Atomics.load(this.#control, READY) !== 0;
  }

  setReady(): void {
    Atomics.store(this.#control, READY, 1);
  }

  get done(): boolean {
    return Atomics.load(this.#control, DONE) !== 0;
  }

  get failed(): boolean {
    return Atomics.load(this.#control, FAILED) !== 0;
  }

  setDone(failed: boolean): void {
    if (failed) Atomics.store(this.#control, FAILED, 1);
    Atomics.store(this.#control, DONE, 1);
    Atomics.notify(this.#control, DONE);
  }

  /** Blocks until the reading thread is done, for so long at most. */
  awaitDone(ms: number): void {
    Atomics.wait(this.#control, DONE, 0, ms);
  }
}
