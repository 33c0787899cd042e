/**
 * Compares the commands that a model predicts with those that a trace recorded, submitter by submitter and in order. Either
 * side may come first: a driver's flush on a map is traced before the map.
 */

/** Told about each comparison. */
export interface MatchSink {
  agreed(event: number, recorded: CommandWords): void;
  /** Right but for the invalidation hint, which the model can't tell. */
  unjudged(event: number): void;
  /** Same place, other words. */
  altered(event: number, recorded: CommandWords, model: CommandWords): void;
  /** Recorded and not predicted. */
  extra(event: number, recorded: CommandWords): void;
  /** Predicted and not recorded; `event` is that of the intent. */
  missing(event: number, model: CommandWords): void;
}

/** A native command as int32 halves, low before high: w0, w1, w2, w3. */
export type CommandWords = readonly [number, number, number, number, number, number, number, number];

interface Entry {
  readonly event: number;
  readonly words: CommandWords;
  /** Prediction: IH of an IOTLB command may be either. */
  readonly anyHint: boolean;
}

interface Lane {
  readonly recorded: Entry[];
  readonly expected: Entry[];
  /** Prediction that the newest difference used up, in case it was an extra command that came in front. */
  altered: { readonly words: CommandWords; readonly model: number } | undefined;
}

/** How far out of step both sides may be before the difference counts. */
const WINDOW = 64;

export class CommandMatcher {
  readonly #sink: MatchSink;
  readonly #lanes = new Map<number, Lane>();

  constructor(sink: MatchSink) {
    this.#sink = sink;
  }

  expect(submitter: number, event: number, words: CommandWords, anyHint = false): void {
    const lane = this.#lane(submitter);
    lane.expected.push({ event, words, anyHint });
    this.#match(lane);
  }

  record(submitter: number, event: number, words: CommandWords): void {
    const lane = this.#lane(submitter);
    if (lane.expected.length === 0 && lane.altered !== undefined && same(lane.altered.words, words)) {
      // the command before was one too many, and has been counted as different; this one is the predicted one
      lane.altered = undefined;
      this.#sink.agreed(event, words);
      return;
    }
    lane.recorded.push({ event, words, anyHint: false });
    this.#match(lane);
  }

  /** Predictions of this submitter that wait for a recorded command. */
  waiting(submitter: number): number {
    return this.#lanes.get(submitter)?.expected.length ?? 0;
  }

  /** What is left: recorded commands without a prediction are extra; the newest predictions may lie behind the trace's end. */
  finish(): { readonly unfinished: number } {
    let unfinished = 0;
    for (const lane of this.#lanes.values()) {
      for (const entry of lane.recorded) this.#sink.extra(entry.event, entry.words);
      unfinished += lane.expected.length;
    }
    this.#lanes.clear();
    return { unfinished };
  }

  #lane(submitter: number): Lane {
    let lane = this.#lanes.get(submitter);
    if (lane === undefined) {
      lane = { recorded: [], expected: [], altered: undefined };
      this.#lanes.set(submitter, lane);
    }
    return lane;
  }

  #match(lane: Lane): void {
    const { recorded, expected } = lane;
    for (;;) {
      const r = recorded[0];
      const e = expected[0];
      if (r === undefined || e === undefined) break;
      if (same(r.words, e.words)) {
        recorded.shift();
        expected.shift();
        lane.altered = undefined;
        this.#sink.agreed(r.event, r.words);
        continue;
      }
      if (e.anyHint && same(flipHint(r.words), e.words)) {
        recorded.shift();
        expected.shift();
        this.#sink.unjudged(r.event);
        continue;
      }
      const skipped = expected.findIndex((entry, i) => i < WINDOW && same(entry.words, r.words));
      if (skipped > 0) {
        for (const entry of expected.splice(0, skipped)) this.#sink.missing(entry.event, entry.words);
        continue;
      }
      const surplus = recorded.findIndex((entry) => same(entry.words, e.words));
      if (surplus > 0) {
        for (const entry of recorded.splice(0, surplus)) this.#sink.extra(entry.event, entry.words);
        continue;
      }
      recorded.shift();
      expected.shift();
      lane.altered = { words: e.words, model: e.event };
      this.#sink.altered(r.event, r.words, e.words);
    }
    while (recorded.length > WINDOW) {
      const entry = recorded.shift();
      if (entry !== undefined) this.#sink.extra(entry.event, entry.words);
    }
  }
}

function same(a: CommandWords, b: CommandWords): boolean {
  for (let i = 0; i < 8; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The same command with the other invalidation hint (bit 6 of the second word's low half). */
function flipHint(words: CommandWords): CommandWords {
  const [w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi, w3Lo, w3Hi] = words;
  return [w0Lo, w0Hi, w1Lo ^ 0x40, w1Hi, w2Lo, w2Hi, w3Lo, w3Hi];
}
