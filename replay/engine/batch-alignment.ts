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
  /** A recorded batch that is left over is no surprise: something else than an unmap asked for it, or may have. */
  expectedExtra(recorded: number): boolean;
  /** Both predictions can have changed places: they come from different submitters, and close to each other. */
  swappable(predicted: number): boolean;
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

/** States that far behind the foremost are given up. */
const LAG = 2048;
/** States that may be looked at, for each batch of both sides: beyond that both sides have little in common. */
const EFFORT = 200;

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
  const states = new Frontier();
  const seen = new Set<number>();
  const width = sides.recorded + 1;
  let front = 0;
  let effort = EFFORT * (sides.predicted + sides.recorded + 100);
  states.push({ predicted: 0, recorded: 0, cost: 0, phase: 0, step: -1, parent: undefined });
  let end: State | undefined;
  let furthest: State | undefined;
  while (end === undefined) {
    const state = states.pop();
    if (state === undefined || effort-- < 0) break;
    const { predicted, recorded, cost, phase } = state;
    if (predicted + recorded < front - LAG) continue;
    if (phase === 0) {
      const id = predicted * width + recorded;
      if (seen.has(id)) continue;
      seen.add(id);
      if (predicted + recorded >= front) {
        front = predicted + recorded;
        furthest = state;
      }
      if (predicted === sides.predicted && recorded === sides.recorded) {
        end = state;
        break;
      }
    }
    const go = (p: number, r: number, more: number, step: number): void =>
      states.push({ predicted: p, recorded: r, cost: cost + more, phase: 0, step, parent: state });
    const inside = predicted < sides.predicted && recorded < sides.recorded;
    if (phase === 0) {
      if (inside && sides.matches(predicted, recorded)) go(predicted + 1, recorded + 1, 0, STEP.agreed);
      states.push({ ...state, cost: cost + UNION, phase: 1 });
    } else if (phase === 1) {
      if (inside) {
        sides.unions(predicted, recorded, (predictions, batches) =>
          go(predicted + predictions, recorded + batches, 0, STEP.union),
        );
        if (
          predicted + 1 < sides.predicted &&
          recorded + 1 < sides.recorded &&
          sides.swappable(predicted) &&
          sides.matches(predicted, recorded + 1) &&
          sides.matches(predicted + 1, recorded)
        ) {
          go(predicted + 2, recorded + 2, SWAP, STEP.swapped);
        }
      }
      if (recorded < sides.recorded && sides.expectedExtra(recorded)) go(predicted, recorded + 1, SWAP, STEP.extra);
      states.push({ ...state, cost: cost - UNION + LEFT_OVER, phase: 2 });
    } else {
      const base = -LEFT_OVER;
      if (predicted < sides.predicted) go(predicted + 1, recorded, base + LEFT_OVER, STEP.missing);
      if (recorded < sides.recorded) go(predicted, recorded + 1, base + LEFT_OVER, STEP.extra);
      if (inside) go(predicted + 1, recorded + 1, base + ALTERED, STEP.altered);
    }
  }
  report(end ?? furthest, sides, sink);
}

function report(last: State | undefined, sides: BatchSides, sink: AlignmentSink): void {
  const path: State[] = [];
  for (let state = last; state !== undefined; state = state.parent) path.push(state);
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
  // the search was given up: what is left has no partner
  for (let p = last?.predicted ?? 0; p < sides.predicted; p++) sink.missing(p);
  for (let r = last?.recorded ?? 0; r < sides.recorded; r++) sink.extra(r);
}

/** States by cost, then by how far they are: a binary heap. */
class Frontier {
  readonly #heap: State[] = [];

  push(state: State): void {
    const heap = this.#heap;
    let at = heap.push(state) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const above = heap[up];
      if (above === undefined || !before(state, above)) break;
      heap[at] = above;
      at = up;
    }
    heap[at] = state;
  }

  pop(): State | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      let child = heap[left];
      if (child === undefined) break;
      let index = left;
      const right = heap[left + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        index = left + 1;
      }
      if (!before(child, last)) break;
      heap[at] = child;
      at = index;
    }
    heap[at] = last;
    return first;
  }
}

function before(a: State, b: State): boolean {
  if (a.cost !== b.cost) return a.cost < b.cost;
  return a.predicted + a.recorded > b.predicted + b.recorded;
}
