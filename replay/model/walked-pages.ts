/** int32 words of a block: a bit for each of 512 pages. */
const BLOCK_WORDS = 16;
/** Words of a key: page number >> 9 as two words, address space, number of the block plus 1 (0: none). */
const KEY_WORDS = 4;

/**
 * Which pages a walk has found mapped by a leaf of their own size. Where mappings only come and never go, walking again would read the
 * same entries: a set bit says so without touching the tables, of which a simulation's cache holds far fewer.
 */
export class WalkedPages {
  #keys: Int32Array = new Int32Array(256 * KEY_WORDS);
  #bits: Int32Array = new Int32Array(64 * BLOCK_WORDS);
  #blocks = 0;
  /** Where the newest `has` looked: word and bit, for `add`. */
  #word = 0;
  #bit = 0;

  has(space: number, pageLo: number, pageHi: number): boolean {
    const word = this.#find(space, (pageLo >>> 9) | (pageHi << 23), pageHi >>> 9) + ((pageLo >>> 5) & 15);
    const bit = 1 << (pageLo & 31);
    this.#word = word;
    this.#bit = bit;
    return (this.#bits[word]! & bit) !== 0;
  }

  /** The page that the newest `has` was asked for is one. */
  add(): void {
    this.#bits[this.#word]! |= this.#bit;
  }

  /** First word of a block, made where there is none. */
  #find(space: number, lo: number, hi: number): number {
    const keys = this.#keys;
    const mask = keys.length - KEY_WORDS;
    let at = hash(space, lo, hi) & mask;
    while (keys[at + 3] !== 0) {
      if (keys[at] === lo && keys[at + 2] === space && keys[at + 1] === hi) return (keys[at + 3]! - 1) * BLOCK_WORDS;
      at = (at + KEY_WORDS) & mask;
    }
    keys[at] = lo;
    keys[at + 1] = hi;
    keys[at + 2] = space;
    keys[at + 3] = ++this.#blocks;
    const word = (this.#blocks - 1) * BLOCK_WORDS;
    if (word + BLOCK_WORDS > this.#bits.length) {
      const bits = new Int32Array(this.#bits.length * 2);
      bits.set(this.#bits);
      this.#bits = bits;
    }
    if (this.#blocks * KEY_WORDS * 2 > keys.length) this.#rehash();
    return word;
  }

  #rehash(): void {
    const old = this.#keys;
    const keys = new Int32Array(old.length * 2);
    const mask = keys.length - KEY_WORDS;
    for (let from = 0; from < old.length; from += KEY_WORDS) {
      if (old[from + 3] === 0) continue;
      let at = hash(old[from + 2]!, old[from]!, old[from + 1]!) & mask;
      while (keys[at + 3] !== 0) at = (at + KEY_WORDS) & mask;
      keys.set(old.subarray(from, from + KEY_WORDS), at);
    }
    this.#keys = keys;
  }
}

/** Its low two bits mean nothing: a key has four words. */
function hash(space: number, lo: number, hi: number): number {
  let mixed = Math.imul(lo ^ Math.imul(hi, 0x27d4eb2f) ^ Math.imul(space, 0x165667b1), 0x9e3779b1);
  mixed ^= mixed >>> 15;
  return Math.imul(mixed, 0x85ebca6b) >>> 4;
}
