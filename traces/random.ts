/**
 * The seeded random numbers of everything that has a `--seed`: xoshiro128** (Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators", 2021) in int32 arithmetic, its state filled by splitmix32. The same seed gives the same
 * numbers on every machine and in every version of the trace format.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** Any safe integer. */
  constructor(seed: number) {
    let state = seed ^ Math.imul(Math.floor(seed / 0x100000000), 0x85ebca6b);
    const splitmix = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state ^ (state >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = splitmix();
    this.#b = splitmix();
    this.#c = splitmix();
    this.#d = splitmix();
    // All-zero is the one state that the generator never leaves.
    if ((this.#a | this.#b | this.#c | this.#d) === 0) this.#a = 1;
  }

  /** 32 random bits as a signed integer. */
  int32(): number {
    const five = Math.imul(this.#b, 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** An integer in [0, n), n at most 2^32. The bias of at most n / 2^32 is accepted for speed. */
  below(n: number): number {
    return Math.floor(((this.int32() >>> 0) * n) / 0x100000000);
  }

  /** A number in [0, 1) with 53 random bits. */
  unit(): number {
    return ((this.int32() >>> 5) * 0x4000000 + (this.int32() >>> 6)) / 0x20000000000000;
  }

  /** True with this probability (0 to 1, in steps of 2^-32). */
  chance(probability: number): boolean {
    return this.int32() >>> 0 < probability * 0x100000000;
  }
}
