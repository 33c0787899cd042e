const LOAD = 2;

/** Numbers pages of address spaces from 0 on, in the order in which they are first seen. Memory: about 24 bytes a page. */
export class PageIndex {
  size = 0;
  #lo = new Int32Array(1024);
  #hi = new Int32Array(1024);
  #slots = new Int32Array(1024 * LOAD).fill(-1);

  /** Number of a page by the words of its key: `keyHigh`. A new one where it was not seen before; -1 where `most` have one. */
  of(lo: number, hi: number, most: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = mix(lo, hi) & mask;
    for (;;) {
      const index = slots[at]!;
      if (index < 0) break;
      if (this.#lo[index] === lo && this.#hi[index] === hi) return index;
      at = (at + 1) & mask;
    }
    if (this.size >= most) return -1;
    const index = this.size++;
    slots[at] = index;
    this.#lo[index] = lo;
    this.#hi[index] = hi;
    if (this.size === this.#lo.length) this.#grow();
    return index;
  }

  lo(index: number): number {
    return this.#lo[index] ?? 0;
  }

  hi(index: number): number {
    return this.#hi[index] ?? 0;
  }

  #grow(): void {
    const lo = new Int32Array(this.#lo.length * 2);
    const hi = new Int32Array(lo.length);
    lo.set(this.#lo);
    hi.set(this.#hi);
    this.#lo = lo;
    this.#hi = hi;
    const slots = new Int32Array(lo.length * LOAD).fill(-1);
    const mask = slots.length - 1;
    for (let index = 0; index < this.size; index++) {
      let at = mix(lo[index]!, hi[index]!) & mask;
      while (slots[at]! >= 0) at = (at + 1) & mask;
      slots[at] = index;
    }
    this.#slots = slots;
  }
}

function mix(lo: number, hi: number): number {
  let mixed = Math.imul(lo ^ Math.imul(hi, 0x27d4eb2f), 0x9e3779b1);
  mixed ^= mixed >>> 15;
  return mixed;
}

/** Bits of a page's number in its address space: a page number has 52 bits, 32 of them in the low word. */
const PAGE_HIGH_BITS = 20;
/** Address spaces that are told apart. */
export const MOST_SPACES = 2 ** (32 - PAGE_HIGH_BITS - 1);

/** The high word of a key: the high bits of the page number, and the address space. */
export function keyHigh(pageHigh: number, space: number): number {
  return pageHigh | (space << PAGE_HIGH_BITS);
}

export function spaceOf(hi: number): number {
  return hi >>> PAGE_HIGH_BITS;
}

/** The page's number in its address space. */
export function pageOf(lo: number, hi: number): number {
  return (hi & (2 ** PAGE_HIGH_BITS - 1)) * 2 ** 32 + (lo >>> 0);
}
