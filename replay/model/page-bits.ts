const TWO_32 = 2 ** 32;

/** Index into a table: bits of a page number, given as two int32 words, from `shift` on. */
export function indexOf(pageLo: number, pageHi: number, shift: number, mask: number): number {
  // `<< 1 << 31 - shift` rather than `<< 32 - shift`, which does nothing for a shift of 0
  return (shift < 32 ? (pageLo >>> shift) | ((pageHi << 1) << (31 - shift)) : pageHi >>> (shift - 32)) & mask;
}

/** Zero bits below the lowest bit set in either number; 53 for two zeros. */
export function trailingZeros(a: number, b: number): number {
  const low = a | b;
  if (low !== 0) return 31 - Math.clz32(low & -low);
  const high = (a / TWO_32) | (b / TWO_32);
  return high === 0 ? 53 : 63 - Math.clz32(high & -high);
}

/** 4 KiB pages that a range of bytes touches; words as in trace columns. */
export function pagesTouched(iovaLo: number, sizeLo: number, sizeHi: number): number {
  const bytes = (sizeHi >>> 0) * TWO_32 + (sizeLo >>> 0) + (iovaLo & 0xfff);
  return Math.ceil(bytes / 4096);
}

/** Of a number from 1 to 2^53. */
export function floorLog2(n: number): number {
  return n < TWO_32 ? 31 - Math.clz32(n) : 63 - Math.clz32(n / TWO_32);
}
