import type { Words } from '../../../import/calls/words.ts';

/**
 * Numbers of domains that are known by the address of their struct begin here, so that none of them is taken for the domain id
 * of a unit.
 */
export const FIRST_DOMAIN = 0x1000_0000;
/** Domains at one time. */
const MAX_DOMAINS = 65_536;

/** Gives domains numbers, in order of their first use. An address that is used again after it was freed is another domain. */
export class DomainNumbers {
  readonly #numbers = new Map<string, number>();
  #next = FIRST_DOMAIN;

  /** -1 for a domain that is not known. */
  of({ lo, hi }: Words): number {
    if (lo === 0 && hi === 0) return -1;
    const key = `${hi} ${lo}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      if (this.#numbers.size >= MAX_DOMAINS) return -1;
      number = this.#next++;
      this.#numbers.set(key, number);
    }
    return number;
  }

  free({ lo, hi }: Words): void {
    this.#numbers.delete(`${hi} ${lo}`);
  }
}
