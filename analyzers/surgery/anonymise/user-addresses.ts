import type { Keyed } from './keyed.ts';

const GIB = 1n << 30n;
/** Where the addresses of programs that are loaded anywhere begin, well below all that kernels choose; and where they end. */
const LEAST = 1n << 40n;
const END = 1n << 47n;
/** Moved ones stay above what fits 32 bits. */
const FLOOR = 1n << 33n;

/**
 * Addresses of processes' own memory, moved down by one keyed multiple of 1 GiB: what lies beside or over each other stays so. Those
 * that no kernel chose (small numbers, ends of the address space) stay.
 */
export class UserAddresses {
  #least = END;
  #by = 0n;
  /** GiB in which there are addresses. */
  readonly #blocks = new Set<bigint>();

  note(address: bigint): void {
    if (address < LEAST || address >= END) return;
    this.#blocks.add(address / GIB);
    if (address < this.#least) this.#least = address;
  }

  decide(keyed: Keyed): void {
    if (this.#least === END) return;
    const room = (this.#least - FLOOR) / GIB;
    this.#by = (1n + (BigInt(keyed.number('user memory', 0)) % room)) * GIB;
  }

  /** Of a number that may be an address, or anything. */
  movedNumber(value: bigint): bigint {
    return this.#blocks.has(value / GIB) ? this.moved(value) : value;
  }

  moved(address: bigint): bigint {
    return address >= LEAST && address < END ? address - this.#by : address;
  }
}
