const FIRST_SLOTS = 256;

/** What became of a group's attempt. */
export const OUTCOME_OF = { open: 0, repaired: 1, refused: 2, again: 3, lost: 4 } as const;

/** Groups that are under way, as columns; a slot is used again when its group is done. */
export class GroupTable {
  device = new Int32Array(FIRST_SLOTS);
  /** Index of the group in the arrivals, and of the thread of a closed loop; -1: none. */
  group = new Int32Array(FIRST_SLOTS);
  thread = new Int32Array(FIRST_SLOTS);
  /** Its requests: index of the first in the arrivals' pages, and how many. */
  first = new Int32Array(FIRST_SLOTS);
  count = new Int32Array(FIRST_SLOTS);
  /** Of this attempt: requests that were sent, and lost. */
  sent = new Int32Array(FIRST_SLOTS);
  lost = new Int32Array(FIRST_SLOTS);
  attempts = new Int32Array(FIRST_SLOTS);
  outcome = new Uint8Array(FIRST_SLOTS);
  wantedAt = new Float64Array(FIRST_SLOTS);
  /** Of this attempt: begun, last request sent, complete in the host, served. */
  begunAt = new Float64Array(FIRST_SLOTS);
  lastAt = new Float64Array(FIRST_SLOTS);
  completeAt = new Float64Array(FIRST_SLOTS);
  servedAt = new Float64Array(FIRST_SLOTS);
  /** Next group in the same list. */
  next = new Int32Array(FIRST_SLOTS);
  #free = -1;
  #used = 0;

  take(): number {
    let slot = this.#free;
    if (slot >= 0)
      this.#free = this.next[slot]!; // in range
    else {
      if (this.#used === this.next.length) this.#grow();
      slot = this.#used++;
    }
    this.next[slot] = -1;
    this.sent[slot] = 0;
    this.lost[slot] = 0;
    this.attempts[slot] = 0;
    this.outcome[slot] = OUTCOME_OF.open;
    return slot;
  }

  give(slot: number): void {
    this.next[slot] = this.#free;
    this.#free = slot;
  }

  #grow(): void {
    const length = 2 * this.next.length;
    this.device = moreInts(this.device, length);
    this.group = moreInts(this.group, length);
    this.thread = moreInts(this.thread, length);
    this.first = moreInts(this.first, length);
    this.count = moreInts(this.count, length);
    this.sent = moreInts(this.sent, length);
    this.lost = moreInts(this.lost, length);
    this.attempts = moreInts(this.attempts, length);
    this.next = moreInts(this.next, length);
    const outcome = new Uint8Array(length);
    outcome.set(this.outcome);
    this.outcome = outcome;
    this.wantedAt = moreTimes(this.wantedAt, length);
    this.begunAt = moreTimes(this.begunAt, length);
    this.lastAt = moreTimes(this.lastAt, length);
    this.completeAt = moreTimes(this.completeAt, length);
    this.servedAt = moreTimes(this.servedAt, length);
  }
}

function moreInts(column: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const more = new Int32Array(length);
  more.set(column);
  return more;
}

function moreTimes(column: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const more = new Float64Array(length);
  more.set(column);
  return more;
}
