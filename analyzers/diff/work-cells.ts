import { Random } from '../../traces/random.ts';
import type { Nanoseconds } from '../../traces/units.ts';

/** Cells at most: when they run out, each two become one. */
const MOST_CELLS = 1024;
/** Quantities and kinds of samples told apart; what comes after is not counted by name. */
const MOST_NAMES = 400;
/** Phases told apart; what comes after belongs to the last. */
const MOST_PHASES = 64;
/** Samples of a kind that are kept: a uniform choice of all. */
const MOST_SAMPLES = 8192;
const CHOICE_SEED = 1;

/** Durations of one kind, in order; `cells` says where each was taken. */
export interface CellSamples {
  readonly values: Float64Array;
  readonly cells: Int32Array;
  /** Of all, kept or not, in order. */
  readonly count: number;
  readonly hash: number;
}

/** A trace cut into cells of equal work, and what was counted in each. */
export interface WorkCells {
  readonly count: number;
  /** By cell: its phase, an index into `phases`. */
  readonly phase: Int32Array;
  /** Texts of marks; the first is '' (before any mark). */
  readonly phases: readonly string[];
  /** By name: an amount for each cell. `ns` is the time that it took. */
  readonly quantities: ReadonlyMap<string, Float64Array>;
  readonly samples: ReadonlyMap<string, CellSamples>;
}

/** FNV-1a over int32 words. */
export function mix(hash: number, word: number): number {
  return Math.imul(hash ^ word, 0x01000193) ^ (hash >>> 15);
}

/** A uniform choice of any number of samples: those with the smallest random numbers. */
class SampleChoice {
  values: number[] = [];
  cells: number[] = [];
  #ranks: number[] = [];
  #limit = 2 ** 32;
  readonly #random = new Random(CHOICE_SEED);
  count = 0;
  hash = 0x811c9dc5 | 0;

  add(value: number, cell: number): void {
    this.count++;
    this.hash = mix(mix(this.hash, value | 0), Math.floor(value / 2 ** 32) | 0);
    const rank = this.#random.int32() >>> 0;
    if (rank >= this.#limit) return;
    this.values.push(value);
    this.cells.push(cell);
    this.#ranks.push(rank);
    while (this.values.length > MOST_SAMPLES) this.#halve();
  }

  #halve(): void {
    this.#limit /= 2;
    const kept = this.#ranks.map((rank) => rank < this.#limit);
    this.values = this.values.filter((_, i) => kept[i]);
    this.cells = this.cells.filter((_, i) => kept[i]);
    this.#ranks = this.#ranks.filter((rank) => rank < this.#limit);
  }
}

/**
 * Counts into cells that each hold the same amount of work, for a trace whose length is not known beforehand. A cell ends with
 * its phase. Memory does not grow with the trace.
 */
export class CellBuilder {
  #cell = 0;
  /** Work that fills a cell. */
  #size = 1;
  #filled = 0;
  #phase = 0;
  #phases: string[] = [''];
  readonly #phaseOf = new Int32Array(MOST_CELLS);
  readonly #columns: Float64Array[] = [];
  readonly #index = new Map<string, number>();
  readonly #samples = new Map<string, SampleChoice>();
  readonly #ns: number;
  #last: Nanoseconds = 0;
  #begun = false;

  constructor() {
    this.#ns = this.quantity('ns');
  }

  /** Number of a quantity, for `add`; -1 where there are too many names. */
  quantity(name: string): number {
    const known = this.#index.get(name);
    if (known !== undefined) return known;
    if (this.#columns.length >= MOST_NAMES) return -1;
    this.#index.set(name, this.#columns.length);
    return this.#columns.push(new Float64Array(MOST_CELLS)) - 1;
  }

  add(quantity: number, amount: number): void {
    if (quantity >= 0) this.#columns[quantity]![this.#cell]! += amount;
  }

  sample(kind: string, value: number): void {
    let choice = this.#samples.get(kind);
    if (choice === undefined) {
      if (this.#samples.size >= MOST_NAMES) return;
      choice = new SampleChoice();
      this.#samples.set(kind, choice);
    }
    choice.add(value, this.#cell);
  }

  /** The time of the event that is counted next. */
  at(time: Nanoseconds): void {
    if (!this.#begun) this.#last = time;
    this.#begun = true;
    if (time <= this.#last) return;
    this.#columns[this.#ns]![this.#cell]! += time - this.#last;
    this.#last = time;
  }

  /** A unit of work begins: what it brings about belongs to its cell. */
  work(): void {
    if (this.#filled >= this.#size) this.#next();
    this.#filled++;
  }

  /** A mark: what follows is its phase. */
  mark(text: string): void {
    let phase = this.#phases.indexOf(text);
    if (phase < 0) phase = this.#phases.length < MOST_PHASES ? this.#phases.push(text) - 1 : MOST_PHASES - 1;
    if (phase === this.#phase) return;
    if (this.#filled > 0) this.#next();
    this.#phase = phase;
    this.#phaseOf[this.#cell] = phase;
  }

  finish(): WorkCells {
    // what came after the last mark, if no work did, belongs to the cell before
    const count = this.#filled > 0 || this.#cell === 0 ? this.#cell + 1 : this.#cell;
    if (count === this.#cell) this.#join(this.#cell, this.#cell - 1);
    const samples = [...this.#samples].map(([name, choice]) => {
      const cells = Int32Array.from(choice.cells, (cell) => Math.min(cell, count - 1));
      const values = Float64Array.from(choice.values);
      return [name, { values, cells, count: choice.count, hash: choice.hash }] as const;
    });
    return {
      count,
      phase: this.#phaseOf.slice(0, count),
      phases: this.#phases,
      quantities: new Map([...this.#index].map(([name, i]) => [name, this.#columns[i]!.slice(0, count)])),
      samples: new Map(samples),
    };
  }

  #next(): void {
    this.#filled = 0;
    this.#cell++;
    if (this.#cell === MOST_CELLS) this.#halve();
    this.#phaseOf[this.#cell] = this.#phase;
  }

  #join(from: number, to: number): void {
    if (from === to || to < 0) return;
    for (const column of this.#columns) {
      column[to]! += column[from]!;
      column[from] = 0;
    }
  }

  /** Each two neighbours of a phase become one cell. */
  #halve(): void {
    this.#size *= 2;
    const target = new Int32Array(MOST_CELLS);
    let to = -1;
    let paired = true;
    for (let from = 0; from < this.#cell; from++) {
      const same = to >= 0 && this.#phaseOf[to] === this.#phaseOf[from];
      if (same && !paired) {
        paired = true;
        this.#join(from, to);
      } else {
        paired = false;
        to++;
        this.#phaseOf[to] = this.#phaseOf[from]!;
        this.#join(from, to);
      }
      target[from] = to;
    }
    for (const choice of this.#samples.values()) choice.cells = choice.cells.map((cell) => target[cell]!);
    this.#cell = to + 1;
    // phases that take turns leave nothing to pair: they are told apart no longer
    if (this.#cell > (MOST_CELLS * 3) / 4) {
      this.#phaseOf.fill(0);
      this.#phase = 0;
      this.#phases = [''];
      this.#halve();
    }
  }
}
