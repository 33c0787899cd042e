import { IorrError } from '../../traces/errors.ts';

/**
 * Which pages a sample has: those whose hash falls below a threshold, so that a page's lookups are in it all or not at all, and depths
 * shrink by the same share as the number of pages (spatially hashed sampling: Waldspurger and others, "Efficient MRC construction
 * with SHARDS", FAST 2015).
 */
export interface PageSample {
  readonly rate: number;
  /** Of a page of a size in an address space: 0 to 2^32 - 1. */
  readonly hash: (space: number, order: number, pageLo: number, pageHi: number) => number;
  readonly has: (hash: number) => boolean;
}

/** Throws `USAGE` for a rate that is no share. */
export function pageSample(rate: number, seed: number): PageSample {
  if (!(rate > 0 && rate < 1)) {
    throw new IorrError('USAGE', `a sample of ${rate} of the pages: a share above 0 and below 1 expected`, {
      hint: '--sample 0.01',
    });
  }
  const threshold = rate * 2 ** 32;
  const start = Math.imul(seed, 0x9e3779b1);
  return {
    rate,
    has: (hash) => hash < threshold,
    hash: (space, order, pageLo, pageHi) => {
      // finaliser of MurmurHash3 over each word
      let mixed = mix(start ^ pageLo);
      mixed = mix(mixed ^ pageHi ^ (order << 24));
      return mix(mixed ^ space) >>> 0;
    },
  };
}

function mix(word: number): number {
  let mixed = word + 0x7ed55d16;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
