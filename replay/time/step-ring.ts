/** What stands in a submission, in order: commands by kind, and where the path hands over or calls. */
export const STEP = {
  /** Carried out by the unit itself. */
  own: 0,
  /** Sent on to a device's TLB. */
  device: 1,
  /** Taken from the submitter and never issued. */
  dropped: 2,
  /** Sent on to a device that does not carry it out. */
  unanswered: 3,
  /** The path's next call or hand-over begins. */
  call: 4,
} as const;

/** Steps of submissions that wait for their turn, first in, first out. Grows. */
export class StepRing {
  #bytes = new Uint8Array(64);
  /** Of those for a device: how long it takes, ns. */
  #ns = new Float64Array(64);
  /** Of the step that was taken last. */
  ns = 0;
  #head = 0;
  #tail = 0;

  append(steps: Uint8Array, ns: Float64Array, count: number): void {
    if (this.#head === this.#tail) {
      this.#head = 0;
      this.#tail = 0;
    }
    if (this.#tail + count > this.#bytes.length) this.#makeRoom(count);
    for (let i = 0; i < count; i++) {
      this.#bytes[this.#tail] = steps[i]!; // in range
      this.#ns[this.#tail++] = ns[i]!; // in range
    }
  }

  /** Takes the next step if it is a call. */
  takeCall(): boolean {
    if (this.#head === this.#tail || this.#bytes[this.#head] !== STEP.call) return false;
    this.#head++;
    return true;
  }

  /** Commands before the next call, `most` at most. */
  commandsAhead(most: number): number {
    const end = Math.min(this.#tail, this.#head + most);
    let at = this.#head;
    while (at < end && this.#bytes[at] !== STEP.call) at++;
    return at - this.#head;
  }

  /** The next step, which must be there. */
  take(): number {
    this.ns = this.#ns[this.#head]!; // in range
    return this.#bytes[this.#head++]!; // in range
  }

  #makeRoom(count: number): void {
    const live = this.#tail - this.#head;
    const grows = live + count > this.#bytes.length / 2;
    const bytes = grows ? new Uint8Array(2 * (live + count)) : this.#bytes;
    const ns = grows ? new Float64Array(2 * (live + count)) : this.#ns;
    bytes.set(this.#bytes.subarray(this.#head, this.#tail));
    ns.set(this.#ns.subarray(this.#head, this.#tail));
    this.#bytes = bytes;
    this.#ns = ns;
    this.#head = 0;
    this.#tail = live;
  }
}
