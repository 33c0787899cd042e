import { WriteLedger } from './write-ledger.ts';
import type { LedgerArrays } from './write-ledger.ts';
import { chunkPages } from './harvest-chunks.ts';
import { LANE } from './lane-control.ts';
import type { LaneTask } from './lane-control.ts';
import { DirtyWriter } from './dirty-writer.ts';
import { RangeHarvester } from './range-harvester.ts';
import type { SharedTables } from './table-memory.ts';

/** A piscina worker: takes chunks whenever a harvest begins, until it is stopped. It sleeps in between. */
export function harvestLane({ shared, bitmap, control, lane }: LaneTask): void {
  const harvester = new RangeHarvester(shared, bitmap);
  const chunk = chunkPages(shared);
  const chunks = Math.ceil(shared.pages / chunk);
  let seen = 0;
  Atomics.add(control, LANE.ready, 1);
  Atomics.notify(control, LANE.ready);
  for (;;) {
    Atomics.wait(control, LANE.round, seen);
    seen = Atomics.load(control, LANE.round);
    if (Atomics.load(control, LANE.stop) !== 0) return;
    if (lane >= Atomics.load(control, LANE.threads)) continue;
    const { leaves, cleared } = harvester;
    const clear = Atomics.load(control, LANE.clear) !== 0;
    const turns = Atomics.load(control, LANE.turns);
    if (turns > 1) {
      // always the same part, so that it stays in this core's cache
      const threads = Atomics.load(control, LANE.threads);
      const from = Math.floor((lane * chunks) / threads) * chunk;
      const to = Math.min(shared.pages, Math.floor(((lane + 1) * chunks) / threads) * chunk);
      for (let turn = 0; turn < turns; turn++) harvester.harvest(from, to, clear, 0);
    } else
      for (let i = Atomics.add(control, LANE.next, 1); i < chunks; i = Atomics.add(control, LANE.next, 1)) {
        harvester.harvest(i * chunk, Math.min(shared.pages, (i + 1) * chunk), clear, 0);
      }
    Atomics.add(control, LANE.leaves, harvester.leaves - leaves);
    Atomics.add(control, LANE.cleared, harvester.cleared - cleared);
    Atomics.add(control, LANE.done, 1);
    Atomics.notify(control, LANE.done);
  }
}

/** What the threads of a run with writers share. */
export interface ConcurrentTask {
  readonly shared: SharedTables;
  readonly ledger: LedgerArrays;
  /** A bit for each leaf. */
  readonly bits: Int32Array;
  /** Threads that arrived, and writers that are at work. */
  readonly gate: Int32Array;
  readonly threads: number;
}

const ARRIVED = 0;
const WRITING = 1;

/** All begin together. */
function arrive({ gate, threads }: ConcurrentTask): void {
  Atomics.add(gate, ARRIVED, 1);
  Atomics.notify(gate, ARRIVED);
  for (let there = Atomics.load(gate, ARRIVED); there < threads; there = Atomics.load(gate, ARRIVED)) {
    Atomics.wait(gate, ARRIVED, there);
  }
}

/** Writes to random pages. */
export function writeLane(task: ConcurrentTask & { readonly writes: number; readonly seed: number }): void {
  const writer = new DirtyWriter(task.shared, new WriteLedger(task.shared, task.ledger), task.seed);
  arrive(task);
  for (let i = 0; i < task.writes; i++) writer.write();
  Atomics.sub(task.gate, WRITING, 1);
}

/** Harvests its share of the chunks again and again, the last time after all writes. */
export function collectLane(task: ConcurrentTask & { readonly lane: number; readonly lanes: number }): {
  readonly passes: number;
  readonly cleared: number;
} {
  const { shared, bits, gate, lane, lanes } = task;
  const harvester = new RangeHarvester(shared, { words: bits, pageShift: shared.leafShift });
  const ledger = new WriteLedger(shared, task.ledger);
  const chunk = chunkPages(shared);
  let passes = 0;
  arrive(task);
  for (let writing = true; writing; passes++) {
    writing = Atomics.load(gate, WRITING) > 0;
    for (let page = lane * chunk; page < shared.pages; page += lanes * chunk) {
      const end = Math.min(shared.pages, page + chunk);
      harvester.harvest(page, end, true, 0);
      ledger.collect(bits, page, end);
    }
  }
  return { passes, cleared: harvester.cleared };
}
