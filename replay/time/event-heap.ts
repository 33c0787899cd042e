/** Events by time, those of the same time in the order in which they came: a binary heap in typed arrays that grow. */
export class EventHeap {
  #times = new Float64Array(64);
  #orders = new Float64Array(64);
  #ids = new Int32Array(64);
  #count = 0;
  #next = 0;

  /** Of the first event; infinity if there is none. */
  get time(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!; // not empty
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  push(time: number, id: number): void {
    if (this.#count === this.#times.length) this.#grow();
    const order = this.#next++;
    let at = this.#count++;
    // `order` is larger than all that are there: only the time decides on the way up
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#times[parent]! <= time) break; // in range, like all below
      this.#move(parent, at);
      at = parent;
    }
    this.#set(at, time, order, id);
  }

  /** Takes the first event's id. The heap must not be empty. */
  pop(): number {
    const id = this.#ids[0]!;
    const last = --this.#count;
    const time = this.#times[last]!;
    const order = this.#orders[last]!;
    const moved = this.#ids[last]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#before(child + 1, child)) child++;
      const childTime = this.#times[child]!;
      if (time < childTime || (time === childTime && order < this.#orders[child]!)) break;
      this.#move(child, at);
      at = child;
    }
    this.#set(at, time, order, moved);
    return id;
  }

  #before(a: number, b: number): boolean {
    const difference = this.#times[a]! - this.#times[b]!;
    return difference < 0 || (difference === 0 && this.#orders[a]! < this.#orders[b]!);
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#times[from]!, this.#orders[from]!, this.#ids[from]!);
  }

  #set(at: number, time: number, order: number, id: number): void {
    this.#times[at] = time;
    this.#orders[at] = order;
    this.#ids[at] = id;
  }

  #grow(): void {
    const size = 2 * this.#times.length;
    const times = new Float64Array(size);
    const orders = new Float64Array(size);
    const ids = new Int32Array(size);
    times.set(this.#times);
    orders.set(this.#orders);
    ids.set(this.#ids);
    this.#times = times;
    this.#orders = orders;
    this.#ids = ids;
  }
}
