/** A range of pages [`first`, `end`) and what was mapped there: `first` lies `offset` pages behind where `value`'s own range began. */
export interface LiveRange<V> {
  readonly first: number;
  readonly end: number;
  readonly offset: number;
  readonly value: V;
}

/** Ranges of pages that do not overlap, in order. A range that is added takes the place of what was there. */
export class LiveRanges<V> {
  readonly #ranges: LiveRange<V>[] = [];

  get ranges(): readonly LiveRange<V>[] {
    return this.#ranges;
  }

  add(first: number, end: number, value: V): void {
    if (end <= first) return;
    const at = this.remove(first, end);
    this.#ranges.splice(at, 0, { first, end, offset: 0, value });
  }

  /** Takes pages out, splitting ranges that reach beyond; returns where in the order they were. */
  remove(first: number, end: number): number {
    const ranges = this.#ranges;
    const from = this.#firstEndingAfter(first);
    let to = from;
    while (to < ranges.length && ranges[to]!.first < end) to++;
    if (to === from) return from;
    const kept: LiveRange<V>[] = [];
    const head = ranges[from]!;
    const tail = ranges[to - 1]!;
    if (head.first < first) kept.push({ ...head, end: first });
    if (tail.end > end) kept.push({ ...tail, first: end, offset: tail.offset + end - tail.first });
    const before = head.first < first ? 1 : 0;
    ranges.splice(from, to - from, ...kept);
    return from + before;
  }

  #firstEndingAfter(page: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.end <= page) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
