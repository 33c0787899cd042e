/** Tasks that are inside a call at the same time, at most; what would be more has lost the events of its returns. */
const MAX_TASKS = 65536;

/** What each task is in the middle of, as columns by slot. Memory is bounded, whatever the ids. */
export class TaskTable {
  readonly #slots = new Map<number, number>();
  readonly #width: number;
  #newestTask = -1;
  #newestSlot = -1;
  /** Bits of who told that the call began, and that it ended; `entered` 0: the task is in no call. */
  entered = new Uint8Array(64);
  left = new Uint8Array(64);
  readonly name: string[] = [];
  time = new Float64Array(64);
  /** `width` words per slot. */
  words: Int32Array;
  /** Slots in use. */
  size = 0;
  /** Events of calls that were forgotten because the table was full. */
  dropped = 0;

  constructor(width: number) {
    this.#width = width;
    this.words = new Int32Array(64 * width);
  }

  /** Slot of a task, or -1. */
  find(task: number): number {
    // Most events of a CPU in a row are of one task.
    if (task === this.#newestTask) return this.#newestSlot;
    const slot = this.#slots.get(task);
    if (slot === undefined) return -1;
    this.#newestTask = task;
    this.#newestSlot = slot;
    return slot;
  }

  /** Slot of a task, made if there is none. */
  slot(task: number): number {
    const found = this.find(task);
    if (found >= 0) return found;
    if (this.size >= MAX_TASKS) this.#forget();
    const slot = this.size++;
    if (slot >= this.time.length) this.#grow();
    this.entered[slot] = 0;
    this.left[slot] = 0;
    this.name[slot] = '';
    this.#slots.set(task, slot);
    this.#newestTask = task;
    this.#newestSlot = slot;
    return slot;
  }

  /** Ids of tasks that are gone fill the table over time; calls that are in the middle are counted. */
  #forget(): void {
    for (let slot = 0; slot < this.size; slot++) {
      const entered = this.entered[slot]!;
      if (entered !== 0 && this.left[slot] === 0) this.dropped += (entered & 1) + (entered >> 1);
    }
    this.#slots.clear();
    this.#newestTask = -1;
    this.size = 0;
  }

  #grow(): void {
    const size = this.time.length * 2;
    const { entered, left, time, words } = this;
    this.entered = new Uint8Array(size);
    this.left = new Uint8Array(size);
    this.time = new Float64Array(size);
    this.words = new Int32Array(size * this.#width);
    this.entered.set(entered);
    this.left.set(left);
    this.time.set(time);
    this.words.set(words);
  }
}
