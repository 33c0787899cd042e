/** Numbers from `first` on; the lowest free one is taken next (xa_alloc). */
export class LowestFree {
  readonly #first: number;
  readonly #taken = new Set<number>();
  /** No number below is free. */
  #from: number;

  constructor(first: number) {
    this.#first = first;
    this.#from = first;
  }

  take(): number {
    let number = this.#from;
    while (this.#taken.has(number)) number++;
    this.#taken.add(number);
    this.#from = number + 1;
    return number;
  }

  give(number: number): void {
    if (!this.#taken.delete(number)) return;
    this.#from = Math.max(this.#first, Math.min(this.#from, number));
  }
}
