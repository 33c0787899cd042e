import { IorrError } from '../../traces/errors.ts';

const LIMIT = 1 << 20;

/** Small numbers for pairs of (rid or domain id, PASID), so that hot loops index arrays by them. */
export class PairIndex {
  /** By first, for pairs without PASID whose first fits 16 bits: nearly all. Number plus 1. */
  readonly direct: Int32Array = new Int32Array(0x10000);
  readonly #others = new Map<number, number>();
  readonly first: number[] = [];
  readonly pasid: number[] = [];
  readonly #what: string;

  /** `what` names the pairs in the error that is thrown at more than a million of them. */
  constructor(what: string) {
    this.#what = what;
  }

  of(first: number, pasid: number): number {
    if (pasid < 0 && first >>> 16 === 0) {
      const known = this.direct[first]!;
      return known !== 0 ? known - 1 : (this.direct[first] = this.#add(first, pasid) + 1) - 1;
    }
    const key = (first >>> 0) * 0x20_0000 + ((pasid + 1) & 0x1f_ffff);
    let index = this.#others.get(key);
    if (index === undefined) {
      index = this.#add(first, pasid);
      this.#others.set(key, index);
    }
    return index;
  }

  get count(): number {
    return this.first.length;
  }

  #add(first: number, pasid: number): number {
    if (this.first.length >= LIMIT) {
      throw new IorrError('LIMIT', `more than ${LIMIT} ${this.#what}`, { hint: 'filter the trace to fewer devices' });
    }
    this.first.push(first);
    this.pasid.push(pasid);
    return this.first.length - 1;
  }
}
