import { STREAM_NAMES } from '../../traces/schema.ts';
import type { BytesColumn, StreamName } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';

/** Names of the columns that are copied, by stream. */
export interface CopiedColumns {
  readonly ints: readonly string[];
  readonly bytes: readonly string[];
}

/** A decoded segment with its columns by stream and in the order of `CopiedColumns`. */
export interface WindowSegment {
  readonly segment: Segment;
  readonly ints: readonly (readonly Int32Array[])[];
  readonly bytes: readonly (readonly BytesColumn[])[];
}

/**
 * The segments of a trace that its readers are at: each is decoded once for all of them, and gone when the last has passed it. So
 * many readers at places that are close together need the memory of that stretch of the trace, once.
 */
export class SegmentWindow {
  readonly #segments: Generator<Segment>;
  readonly #columns: Readonly<Record<StreamName, CopiedColumns>>;
  readonly #readers: number;
  readonly #held: WindowSegment[] = [];
  readonly #passed: number[] = [];
  #first = 0;
  #most = 0;
  #done = false;

  constructor(segments: Generator<Segment>, columns: Readonly<Record<StreamName, CopiedColumns>>, readers: number) {
    this.#segments = segments;
    this.#columns = columns;
    this.#readers = readers;
  }

  /** Segments held at once, at most. */
  get most(): number {
    return this.#most;
  }

  /** Segment number `index`, or undefined behind the last. Never one that all readers have passed. */
  at(index: number): WindowSegment | undefined {
    while (!this.#done && index - this.#first >= this.#held.length) {
      const step = this.#segments.next();
      if (step.done === true) this.#done = true;
      else if (step.value.count > 0) {
        this.#held.push(this.#prepare(step.value));
        this.#passed.push(0);
        this.#most = Math.max(this.#most, this.#held.length);
      }
    }
    return this.#held[index - this.#first];
  }

  /** A reader does not need the segment any more. Readers pass all segments in order. */
  pass(index: number): void {
    this.#passed[index - this.#first]!++;
    while (this.#passed[0] === this.#readers) {
      this.#held.shift();
      this.#passed.shift();
      this.#first++;
    }
  }

  #prepare(segment: Segment): WindowSegment {
    const columns = STREAM_NAMES.map((name) => segment.rows[name].columns as unknown as Record<string, unknown>);
    return {
      segment,
      ints: STREAM_NAMES.map((name, id) =>
        this.#columns[name].ints.map((property) => (columns[id]![property] as Int32Array | undefined) ?? NONE),
      ),
      bytes: STREAM_NAMES.map((name, id) =>
        this.#columns[name].bytes.map((property) => (columns[id]![property] as BytesColumn | undefined) ?? NO_BYTES),
      ),
    };
  }
}

const NONE = new Int32Array(0);
const NO_BYTES: BytesColumn = { offsets: new Int32Array(1), data: new Uint8Array(0) };
