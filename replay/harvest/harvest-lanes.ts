import { Piscina } from 'piscina';
import { LANE, harvestWorker } from './lane-control.ts';
import type { LaneTask } from './lane-control.ts';
import type { SharedTables } from './table-memory.ts';

/** Longer than any harvest takes: a thread that died must not hang the process. */
const MOST_WAIT_MS = 600_000;

/** What one harvest found. */
export interface LaneHarvest {
  readonly leaves: number;
  readonly cleared: number;
}

/**
 * Threads that harvest tables together: each takes the next chunk when it is done with one. They stay between harvests, so that a
 * harvest is a wake-up and not a start.
 */
export class HarvestLanes {
  readonly shared: SharedTables;
  /** A bit for each leaf, bit 0 for the one at address 0. Harvests set bits; whoever reads them clears them. */
  readonly bits: Int32Array;
  readonly threads: number;
  readonly #control: Int32Array;
  readonly #pool: Piscina;
  readonly #running: Promise<unknown>;

  private constructor(shared: SharedTables, threads: number) {
    this.shared = shared;
    this.threads = threads;
    this.#control = new Int32Array(new SharedArrayBuffer(64 * 4));
    const leaves = (shared.pages * shared.pageBytes) / 2 ** shared.leafShift;
    this.bits = new Int32Array(new SharedArrayBuffer(Math.ceil(leaves / 32) * 4));
    this.#pool = new Piscina({
      filename: harvestWorker(),
      minThreads: threads,
      maxThreads: threads,
      // a worker sleeps in its task, not between tasks
      atomics: 'disabled',
    });
    const bitmap = { words: this.bits, pageShift: shared.leafShift };
    const tasks: LaneTask[] = Array.from({ length: threads }, (_, lane) => ({
      shared,
      bitmap,
      control: this.#control,
      lane,
    }));
    this.#running = Promise.all(tasks.map((task) => this.#pool.run(task, { name: 'harvestLane' })));
  }

  /** Rejects with what a thread failed with. */
  static async start(shared: SharedTables, threads: number): Promise<HarvestLanes> {
    const lanes = new HarvestLanes(shared, threads);
    try {
      await Promise.race([lanes.#running, lanes.#ready()]);
    } catch (error) {
      await lanes.#pool.destroy();
      throw error;
    }
    return lanes;
  }

  /**
   * Harvests all the memory with so many of the threads, and waits for them: the thread that calls is blocked meanwhile. Throws if
   * one of them doesn't come to an end. With `turns` each thread harvests a part of its own so often.
   */
  harvest(threads: number = this.threads, clear = true, turns = 1): LaneHarvest {
    if (!(threads >= 1 && threads <= this.threads)) throw new RangeError(`${threads} of ${this.threads} threads`);
    const control = this.#control;
    for (const at of [LANE.next, LANE.done, LANE.leaves, LANE.cleared]) Atomics.store(control, at, 0);
    Atomics.store(control, LANE.threads, threads);
    Atomics.store(control, LANE.clear, clear ? 1 : 0);
    Atomics.store(control, LANE.turns, turns);
    Atomics.add(control, LANE.round, 1);
    Atomics.notify(control, LANE.round);
    for (let done = 0; done < threads; done = Atomics.load(control, LANE.done)) {
      if (Atomics.wait(control, LANE.done, done, MOST_WAIT_MS) === 'timed-out')
        throw new Error('a harvest thread hangs');
    }
    return { leaves: Atomics.load(control, LANE.leaves), cleared: Atomics.load(control, LANE.cleared) };
  }

  async stop(): Promise<void> {
    Atomics.store(this.#control, LANE.stop, 1);
    Atomics.add(this.#control, LANE.round, 1);
    Atomics.notify(this.#control, LANE.round);
    try {
      await this.#running;
    } finally {
      await this.#pool.destroy();
    }
  }

  async #ready(): Promise<void> {
    for (;;) {
      const ready = Atomics.load(this.#control, LANE.ready);
      if (ready === this.threads) return;
      await Atomics.waitAsync(this.#control, LANE.ready, ready).value;
    }
  }
}
