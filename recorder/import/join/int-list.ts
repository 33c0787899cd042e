/** A growing list of int32 values: a few bytes per row where a row needs only a number. */
export class IntList {
  #values = new Int32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const next = new Int32Array(this.length * 2);
      next.set(this.#values);
      this.#values = next;
    }
    this.#values[this.length++] = value;
  }

  /** 0 past the end: callers keep their own indices in range. */
  get(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  /** The values as an array of exactly `length`; shares memory with the list until it grows. */
  view(): Int32Array {
    return this.#values.subarray(0, this.length);
  }
}

/** A growing list of doubles: times and page numbers. */
export class NumberList {
  #values = new Float64Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const next = new Float64Array(this.length * 2);
      next.set(this.#values);
      this.#values = next;
    }
    this.#values[this.length++] = value;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  view(): Float64Array {
    return this.#values.subarray(0, this.length);
  }
}
