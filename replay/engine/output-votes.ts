/** One output address that rows of the same translation recorded, and who recorded it. */
interface Value {
  readonly lo: number;
  readonly hi: number;
  readonly shift: number;
  count: number;
  /** Rows among them that are witnesses only: they diverged otherwise already. */
  witnesses: number;
  /** The fill's own row is among them, and no mere witness. */
  fill: boolean;
  /** First events, at most `KEPT`; of the value that was there before any other, the first only. */
  readonly events: number[];
}

const KEPT = 100;

/** Rows whose output is not that of most rows of the same translation: `count` of them, of which `events` are known. */
export interface Outvoted {
  readonly events: readonly number[];
  readonly count: number;
  readonly fill: boolean;
  readonly recorded: Output;
  readonly elected: Output;
}

/** An output address as two int32 words, and the page shift recorded with it. */
export interface Output {
  readonly lo: number;
  readonly hi: number;
  readonly shift: number;
}

/**
 * Outputs where no page table tells them: all rows that a cached translation served must agree, the row that filled it too.
 * Which one is right is settled when the translation goes: the value that most rows recorded, the fill's where as many recorded
 * another. So one altered row diverges alone, be it a hit or the fill.
 */
export class OutputVotes {
  readonly #lo: Int32Array;
  readonly #hi: Int32Array;
  readonly #shift: Int32Array;
  readonly #count: Int32Array;
  readonly #witnesses: Int32Array;
  readonly #first: Float64Array;
  readonly #fill: Uint8Array;
  readonly #disputed = new Map<number, Value[]>();

  constructor(slots: number) {
    this.#lo = new Int32Array(slots);
    this.#hi = new Int32Array(slots);
    this.#shift = new Int32Array(slots);
    this.#count = new Int32Array(slots);
    this.#witnesses = new Int32Array(slots);
    this.#first = new Float64Array(slots);
    this.#fill = new Uint8Array(slots);
  }

  /** A row was served from a slot. A `witness` has a vote, but does not diverge if it loses. */
  vote(slot: number, lo: number, hi: number, shift: number, event: number, fill: boolean, witness: boolean): void {
    const count = this.#count[slot]!;
    if (count === 0) {
      this.#lo[slot] = lo;
      this.#hi[slot] = hi;
      this.#shift[slot] = shift;
      this.#first[slot] = event;
      this.#fill[slot] = fill && !witness ? 1 : 0;
      this.#count[slot] = 1;
      this.#witnesses[slot] = witness ? 1 : 0;
    } else if (this.#lo[slot] === lo && this.#hi[slot] === hi && this.#shift[slot] === shift) {
      this.#count[slot] = count + 1;
      if (witness) this.#witnesses[slot]!++;
    } else this.#dispute(slot, lo, hi, shift, witness ? -1 : event);
  }

  #dispute(slot: number, lo: number, hi: number, shift: number, event: number): void {
    let values = this.#disputed.get(slot);
    if (values === undefined) {
      values = [];
      this.#disputed.set(slot, values);
    }
    let value = values.find((one) => one.lo === lo && one.hi === hi && one.shift === shift);
    if (value === undefined) {
      value = { lo, hi, shift, count: 0, witnesses: 0, fill: false, events: [] };
      values.push(value);
    }
    value.count++;
    if (event < 0) value.witnesses++;
    else if (value.events.length < KEPT) value.events.push(event);
  }

  /** The slot's translation is going. Returns the rows that lost the vote; most slots have none. */
  settle(slot: number): readonly Outvoted[] {
    const count = this.#count[slot]!;
    this.#count[slot] = 0;
    if (this.#disputed.size === 0) return NONE;
    const others = this.#disputed.get(slot);
    if (others === undefined) return NONE;
    this.#disputed.delete(slot);
    const first: Value = {
      lo: this.#lo[slot]!,
      hi: this.#hi[slot]!,
      shift: this.#shift[slot]!,
      count,
      witnesses: this.#witnesses[slot]!,
      fill: this.#fill[slot] === 1,
      events: this.#witnesses[slot] === count ? [] : [this.#first[slot]!],
    };
    const values = [first, ...others];
    const elected = values.reduce((best, value) => (value.count > best.count ? value : best));
    return values
      .filter((value) => value !== elected)
      .map((value) => ({
        events: value.events,
        count: value.count - value.witnesses,
        fill: value.fill,
        recorded: value,
        elected,
      }));
  }
}

const NONE: readonly Outvoted[] = [];
