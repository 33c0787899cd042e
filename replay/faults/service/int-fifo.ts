/** Integers, first in, first out: a ring in a typed array that grows. */
export class IntFifo {
  #ring = new Int32Array(64);
  #head = 0;
  count = 0;

  push(value: number): void {
    if (this.count === this.#ring.length) {
      const more = new Int32Array(2 * this.#ring.length);
      for (let i = 0; i < this.count; i++) more[i] = this.#ring[(this.#head + i) % this.#ring.length]!; // in range
      this.#ring = more;
      this.#head = 0;
    }
    this.#ring[(this.#head + this.count++) % this.#ring.length] = value;
  }

  /** Must not be empty. */
  shift(): number {
    const value = this.#ring[this.#head]!; // not empty
    this.#head = (this.#head + 1) % this.#ring.length;
    this.count--;
    return value;
  }
}
