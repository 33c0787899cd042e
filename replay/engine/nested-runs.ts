import type { Nanoseconds } from '../../traces/units.ts';
import type { LaneIntent } from './flush-lane.ts';

/** Contexts of one CPU that can be in the middle of a mapping: a task, a soft interrupt, an interrupt, an NMI. */
const MOST_NESTED = 4;
/** How long a mapping may be interrupted, where many tasks share a CPU: what comes later is taken for another mapping. */
const LONGEST_NS = 2e8;

interface Run {
  /** Page behind its last piece; -1 once its call has returned. */
  next: number;
  /** Number and time of its last piece so far. */
  end: number;
  time: Nanoseconds;
  readonly pieces: number[];
}

/**
 * A scatter-gather list is mapped piece by piece and synchronised once (drivers/iommu/iommu.c, iommu_map_sg); an interrupt in the
 * middle maps, unmaps and flushes what is its own before the list goes on: last in, first out. Returns the numbers of the batches
 * in the order of their flushes, each run at the place of its last piece. Several numbers are one flush: the call that mapped
 * them was seen to return.
 */
export function nestedRuns(
  intents: readonly (LaneIntent | undefined)[],
  times: readonly Nanoseconds[],
): readonly (readonly number[])[] {
  const runs: (Run | undefined)[] = [];
  const open = new Map<number, Run[]>();
  for (let i = 0; i < times.length; i++) {
    const intent = intents[i];
    if (intent?.mapped !== true) continue;
    const time = times[i] ?? 0;
    const next = intent.returned ? -1 : intent.last + 1;
    const stack = open.get(intent.key) ?? [];
    open.set(intent.key, stack);
    const at = stack.findLastIndex((run) => run.next === intent.first && time - run.time <= LONGEST_NS);
    let run = stack[at];
    if (run === undefined) {
      if (stack.length === MOST_NESTED) stack.shift();
      run = { next, end: i, time, pieces: [i] };
      stack.push(run);
    } else {
      // what lay above it has returned
      stack.length = at + 1;
      run.next = next;
      run.end = i;
      run.time = time;
      run.pieces.push(i);
    }
    runs[i] = run;
  }
  const order: number[][] = [];
  for (let i = 0; i < times.length; i++) {
    const run = runs[i];
    if (run === undefined) order.push([i]);
    else if (run.end === i && run.next === -1) order.push(run.pieces);
    else if (run.end === i) for (const piece of run.pieces) order.push([piece]);
  }
  return order;
}
