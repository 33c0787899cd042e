/** Events by time, those of the same time by rank, then by id: a binary heap in typed arrays that grow. */
export class EventHeap {
  #times = new Float64Array(64);
  #ranks = new Float64Array(64);
  #ids = new Int32Array(64);
  #count = 0;

  /** Of the first event; infinity if there is none. */
  get time(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!; // not empty
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
  }

  push(time: number, rank: number, id: number): void {
    if (this.#count === this.#times.length) this.#grow();
    let at = this.#count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#after(parent, time, rank, id)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#set(at, time, rank, id);
  }

  /** Takes the first event's id. The heap must not be empty. */
  pop(): number {
    const first = this.#ids[0]!;
    const last = --this.#count;
    const time = this.#times[last]!;
    const rank = this.#ranks[last]!;
    const id = this.#ids[last]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      const other = child + 1;
      if (other < last && this.#after(child, this.#times[other]!, this.#ranks[other]!, this.#ids[other]!))
        child = other;
      if (this.#after(child, time, rank, id)) break;
      this.#move(child, at);
      at = child;
    }
    this.#set(at, time, rank, id);
    return first;
  }

  /** The event at a place comes after another one. */
  #after(at: number, time: number, rank: number, id: number): boolean {
    const own = this.#times[at]!; // in range, like all here
    if (own !== time) return own > time;
    const ownRank = this.#ranks[at]!;
    return ownRank === rank ? this.#ids[at]! > id : ownRank > rank;
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#times[from]!, this.#ranks[from]!, this.#ids[from]!);
  }

  #set(at: number, time: number, rank: number, id: number): void {
    this.#times[at] = time;
    this.#ranks[at] = rank;
    this.#ids[at] = id;
  }

  #grow(): void {
    const size = 2 * this.#times.length;
    const times = new Float64Array(size);
    const ranks = new Float64Array(size);
    const ids = new Int32Array(size);
    times.set(this.#times);
    ranks.set(this.#ranks);
    ids.set(this.#ids);
    this.#times = times;
    this.#ranks = ranks;
    this.#ids = ids;
  }
}
