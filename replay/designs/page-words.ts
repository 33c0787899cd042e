import type { PageNumber } from '../../traces/units.ts';

const HIGH = 0x100000000;

/** Low int32 word of the page's address. */
export function pageLow(page: PageNumber): number {
  return ((page % 0x100000) << 12) | 0;
}

/** High int32 word of the page's address. */
export function pageHigh(page: PageNumber): number {
  return Math.floor(page / 0x100000) | 0;
}

/** Bits needed for the difference of first and last page: the smallest 2^m pages, aligned, that hold both. */
export function addressMask(first: PageNumber, last: PageNumber): number {
  const low = (first ^ last) | 0;
  const high = (Math.floor(first / HIGH) ^ Math.floor(last / HIGH)) | 0;
  return high === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(high);
}

/** `page` with its lowest `mask` bits cleared. */
export function alignPage(page: PageNumber, mask: number): PageNumber {
  if (mask >= 52) return 0;
  const size = 2 ** mask;
  return page - (page % size);
}

/** log2 of the largest power of two that divides a number of pages; 52 for 0. */
export function trailingZeros(pages: number): number {
  const low = (pages % HIGH) | 0;
  if (low !== 0) return 31 - Math.clz32(low & -low);
  const high = Math.floor(pages / HIGH) | 0;
  return high === 0 ? 52 : 63 - Math.clz32(high & -high);
}

/** log2 of the largest power of two that is not over a number of pages, which is at least 1. */
export function floorLog2(pages: number): number {
  const high = Math.floor(pages / HIGH) | 0;
  return high === 0 ? 31 - Math.clz32(pages | 0) : 63 - Math.clz32(high);
}
