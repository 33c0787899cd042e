import type { PageNumber } from '../../../traces/units.ts';

/** Address spaces and pages of one key, exact: 2^52 pages hold 2^47 blocks of 32. */
const BLOCK_PAGES = 32;

/** Pages that were brought in although nobody had asked for them: each serves the next request for it, once. */
export class RepairedPages {
  #keys = new Float64Array(1024).fill(-1);
  #spaces = new Int32Array(1024);
  #words = new Int32Array(1024);
  #used = 0;
  /** Pages that wait for a request. */
  size = 0;

  /** True if the page was not there yet. */
  add(space: number, page: PageNumber): boolean {
    const slot = this.#slot(space, Math.floor(page / BLOCK_PAGES), true);
    const bit = 1 << (page % BLOCK_PAGES);
    if ((this.#words[slot]! & bit) !== 0) return false; // in range
    this.#words[slot]! |= bit;
    this.size++;
    return true;
  }

  /** True if the page was there; it no longer is. */
  take(space: number, page: PageNumber): boolean {
    const slot = this.#slot(space, Math.floor(page / BLOCK_PAGES), false);
    const bit = 1 << (page % BLOCK_PAGES);
    if (slot < 0 || (this.#words[slot]! & bit) === 0) return false; // in range
    this.#words[slot]! &= ~bit;
    this.size--;
    return true;
  }

  /** Slot of a block; -1 where there is none and none is made. */
  #slot(space: number, block: number, make: boolean): number {
    if (make && 2 * (this.#used + 1) > this.#keys.length) this.#grow();
    const mask = this.#keys.length - 1;
    let at = mix(space, block) & mask;
    for (;;) {
      const key = this.#keys[at]!; // in range
      if (key === block && this.#spaces[at] === space) return at;
      if (key < 0) break;
      at = (at + 1) & mask;
    }
    if (!make) return -1;
    this.#keys[at] = block;
    this.#spaces[at] = space;
    this.#words[at] = 0;
    this.#used++;
    return at;
  }

  #grow(): void {
    const keys = this.#keys;
    const spaces = this.#spaces;
    const words = this.#words;
    const length = 2 * keys.length;
    this.#keys = new Float64Array(length).fill(-1);
    this.#spaces = new Int32Array(length);
    this.#words = new Int32Array(length);
    this.#used = 0;
    for (let i = 0; i < keys.length; i++) {
      // blocks whose pages were all taken are forgotten here
      if (keys[i]! < 0 || words[i] === 0) continue; // in range, like the rest
      this.#words[this.#slot(spaces[i]!, keys[i]!, true)] = words[i]!;
    }
  }
}

function mix(space: number, block: number): number {
  let mixed = Math.imul(((block % 0x1_0000_0000) | 0) ^ Math.imul(space, 0x27d4eb2f), 0x9e3779b1);
  mixed ^= Math.imul((block / 0x1_0000_0000) | 0, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
