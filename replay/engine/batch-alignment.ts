import { BinaryHeap } from '../../traces/binary-heap.ts';

/**
 * Lays the batches that a model predicts beside those that a trace recorded, so that as few as possible are left over: one
 * command that is missing must not make all behind it differ. Cheapest path over (predicted, recorded), found best first: where
 * both sides agree it is a straight walk.
 */

/** What the alignment asks about both sides. */
export interface BatchSides {
  readonly predicted: number;
  readonly recorded: number;
  /** The batches are the same. */
  matches(predicted: number, recorded: number): boolean;
  /** Although both agree something else may be right: a union begins here, or what is left over would be no surprise. */
  hasChoice(predicted: number, recorded: number): boolean;
  /** A recorded batch that is left over is no surprise: something else than an unmap asked for it, or may have. */
  expectedExtra(recorded: number): boolean;
  /** A prediction without its command is no surprise: its domain had no device. */
  expectedMissing(predicted: number): boolean;
  /** Both predictions, or both recorded batches, can have changed places: different submitters close to each other, or the same time. */
  swappable(predicted: number, recorded: number): boolean;
  /**
   * The predictions from here on that one flush may have covered together, and how many recorded batches that makes. Calls `found`
   * with both numbers for each such group that is equal to what was recorded from `recorded` on.
   */
  unions(predicted: number, recorded: number, found: (predictions: number, batches: number) => void): void;
}

/** One step of the path, in order. `predicted` or `recorded` is -1 where a side has nothing. */
export interface AlignmentSink {
  agreed(predicted: number, recorded: number): void;
  /** `predictions` from `predicted` on were flushed as one, by `batches` from `recorded` on. */
  union(predicted: number, predictions: number, recorded: number, batches: number): void;
  swapped(predicted: number, recorded: number): void;
  altered(predicted: number, recorded: number): void;
  missing(predicted: number): void;
  extra(recorded: number): void;
}

const STEP = { agreed: 0, union: 1, swapped: 2, altered: 3, missing: 4, extra: 5 } as const;

/** Costs in thousandths of a command that is left over. */
const UNION = 1;
const SWAP = 10;
const LEFT_OVER = 1000;
const ALTERED = 1500;

/**
 * States that may be looked at, and how many more for each step forward. When they are used up, what is foremost is taken for right
 * and its next step for a difference; where that happens again and again both sides have little in common, and less is tried.
 */
const MOST_EFFORT = 1 << 15;
const LEAST_EFFORT = 64;
const EARNED = 64;
/** Steps forward after which more is tried again. */
const RECOVERED = 256;

interface State {
  readonly predicted: number;
  readonly recorded: number;
  readonly cost: number;
  /** What to try: 0 the straight step, 1 unions and swaps, 2 differences. */
  readonly phase: number;
  readonly step: number;
  readonly parent: State | undefined;
}

/** Walks the cheapest path and reports its steps. */
export function alignBatches(sides: BatchSides, sink: AlignmentSink): void {
  let effort = MOST_EFFORT;
  let predicted = 0;
  let recorded = 0;
  for (;;) {
    const found = search(sides, predicted, recorded, effort);
    report(found, sink);
    const steps = found.predicted + found.recorded - predicted - recorded;
    effort = steps > RECOVERED ? MOST_EFFORT : Math.max(LEAST_EFFORT, effort >> 1);
    ({ predicted, recorded } = found);
    if (predicted < sides.predicted && recorded < sides.recorded) sink.altered(predicted++, recorded++);
    else if (predicted < sides.predicted) sink.missing(predicted++);
    else if (recorded < sides.recorded) sink.extra(recorded++);
    else return;
  }
}

/** The state at the end of both sides, or the foremost one where the effort ran out. */
function search(sides: BatchSides, firstPredicted: number, firstRecorded: number, effort: number): State {
  const states = new BinaryHeap<State>(before);
  /** By lead (predicted less recorded): the furthest prediction. */
  const furthestBy = new Map<number, number>();
  const start = { predicted: firstPredicted, recorded: firstRecorded, cost: 0, phase: 0, step: -1, parent: undefined };
  let front = -1;
  let left = effort;
  let furthest: State = start;
  states.add(start);
  for (;;) {
    const state = states.removeFirst();
    if (state === undefined || left-- < 0) return furthest;
    const { predicted, recorded, cost, phase } = state;
    // whoever came further with the same lead did not pay more: only a union from here can be better
    const lead = predicted - recorded;
    const reached = furthestBy.get(lead) ?? -1;
    if (phase === 0 && predicted <= reached) continue;
    if (phase === 0) {
      furthestBy.set(lead, predicted);
      if (predicted + recorded > front) {
        front = predicted + recorded;
        furthest = state;
        left = Math.min(effort, left + EARNED);
      }
      if (predicted === sides.predicted && recorded === sides.recorded) return state;
    }
    const go = (p: number, r: number, more: number, step: number): void =>
      states.add({ predicted: p, recorded: r, cost: cost + more, phase: 0, step, parent: state });
    const inside = predicted < sides.predicted && recorded < sides.recorded;
    if (phase === 0) {
      const same = inside && sides.matches(predicted, recorded);
      if (same) go(predicted + 1, recorded + 1, 0, STEP.agreed);
      // leaving a pair over that agrees never gains anything, unless what comes instead costs next to nothing
      if (!same || sides.hasChoice(predicted, recorded)) states.add({ ...state, cost: cost + UNION, phase: 1 });
    } else if (phase === 1) {
      if (inside) tryTogether(sides, predicted, recorded, go);
      if (recorded < sides.recorded && sides.expectedExtra(recorded)) go(predicted, recorded + 1, SWAP, STEP.extra);
      if (predicted < sides.predicted && sides.expectedMissing(predicted))
        go(predicted + 1, recorded, SWAP, STEP.missing);
      // asked before the difference is paid: who comes further until then may have paid more than this state
      if (predicted >= reached && (!inside || !sides.matches(predicted, recorded))) {
        states.add({ ...state, cost: cost - UNION + LEFT_OVER, phase: 2 });
      }
    } else {
      if (predicted < sides.predicted) go(predicted + 1, recorded, 0, STEP.missing);
      if (recorded < sides.recorded) go(predicted, recorded + 1, 0, STEP.extra);
      if (inside) go(predicted + 1, recorded + 1, ALTERED - LEFT_OVER, STEP.altered);
    }
  }
}

/** Unions, and two that changed places. */
function tryTogether(
  sides: BatchSides,
  predicted: number,
  recorded: number,
  go: (predicted: number, recorded: number, more: number, step: number) => void,
): void {
  sides.unions(predicted, recorded, (predictions, batches) =>
    go(predicted + predictions, recorded + batches, 0, STEP.union),
  );
  if (
    predicted + 1 < sides.predicted &&
    recorded + 1 < sides.recorded &&
    sides.swappable(predicted, recorded) &&
    sides.matches(predicted, recorded + 1) &&
    sides.matches(predicted + 1, recorded)
  ) {
    go(predicted + 2, recorded + 2, SWAP, STEP.swapped);
  }
}

function report(last: State, sink: AlignmentSink): void {
  const path: State[] = [];
  for (let state: State | undefined = last; state !== undefined; state = state.parent) path.push(state);
  path.reverse();
  for (let i = 1; i < path.length; i++) {
    const from = path[i - 1];
    const to = path[i];
    if (from === undefined || to === undefined) break;
    const { predicted, recorded } = from;
    if (to.step === STEP.agreed) sink.agreed(predicted, recorded);
    else if (to.step === STEP.union) {
      sink.union(predicted, to.predicted - predicted, recorded, to.recorded - recorded);
    } else if (to.step === STEP.swapped) sink.swapped(predicted, recorded);
    else if (to.step === STEP.altered) sink.altered(predicted, recorded);
    else if (to.step === STEP.missing) sink.missing(predicted);
    else sink.extra(recorded);
  }
}

/** States by cost, then by how far they are. */
function before(a: State, b: State): boolean {
  if (a.cost !== b.cost) return a.cost < b.cost;
  return a.predicted + a.recorded > b.predicted + b.recorded;
}
