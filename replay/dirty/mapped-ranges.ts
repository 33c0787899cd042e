/** Ranges of pages without overlaps, ascending; those that touch are one. */
export class MappedRanges {
  pages = 0;
  #starts: number[] = [];
  #ends: number[] = [];

  get count(): number {
    return this.#starts.length;
  }

  /** Adds pages; `missing` is told of each part that was not there, ascending. */
  add(page: number, pages: number, missing: (page: number, pages: number) => void): void {
    const end = page + pages;
    const from = this.#after(this.#ends, page - 1);
    let to = from;
    let at = page;
    let start = page;
    let last = end;
    for (; to < this.#starts.length && this.#starts[to]! <= end; to++) {
      if (this.#starts[to]! > at) missing(at, Math.min(this.#starts[to]!, end) - at);
      at = Math.max(at, this.#ends[to]!);
      this.pages -= this.#ends[to]! - this.#starts[to]!;
      start = Math.min(start, this.#starts[to]!);
      last = Math.max(last, this.#ends[to]!);
    }
    if (at < end) missing(at, end - at);
    this.#starts.splice(from, to - from, start);
    this.#ends.splice(from, to - from, last);
    this.pages += last - start;
  }

  /** Takes pages away; `present` is told of each part that was there, ascending. */
  remove(page: number, pages: number, present: (page: number, pages: number) => void): void {
    const end = page + pages;
    const from = this.#after(this.#ends, page);
    let to = from;
    const starts: number[] = [];
    const ends: number[] = [];
    for (; to < this.#starts.length && this.#starts[to]! < end; to++) {
      const start = this.#starts[to]!;
      const last = this.#ends[to]!;
      const first = Math.max(start, page);
      const gone = Math.min(last, end) - first;
      present(first, gone);
      this.pages -= gone;
      if (start < page) {
        starts.push(start);
        ends.push(page);
      }
      if (last > end) {
        starts.push(end);
        ends.push(last);
      }
    }
    this.#starts.splice(from, to - from, ...starts);
    this.#ends.splice(from, to - from, ...ends);
  }

  has(page: number): boolean {
    const range = this.#after(this.#ends, page);
    return range < this.#starts.length && this.#starts[range]! <= page;
  }

  /** Whether any of the pages is there. */
  holdsAny(page: number, pages: number): boolean {
    const at = this.#after(this.#ends, page);
    return at < this.#starts.length && this.#starts[at]! < page + pages;
  }

  /** Every range, ascending. */
  each(told: (page: number, pages: number) => void): void {
    for (let i = 0; i < this.#starts.length; i++) told(this.#starts[i]!, this.#ends[i]! - this.#starts[i]!);
  }

  /** First index whose value is larger. */
  #after(values: readonly number[], page: number): number {
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (values[middle]! > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
