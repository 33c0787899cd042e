/** Values of the parameter `iotlb.hashed`: how a page picks its set. */
export const SET_INDEX = { low: 0, mixed: 1, folded: 2 } as const;

/**
 * The number that picks the set of an entry of 2^`order` pages, modulo the sets: unsigned, 32 bits. It does not depend on how many
 * sets there are, so that the sets of one count are parts of those of every count that divides it. `index` is a `SET_INDEX` value.
 */
export function setNumber(index: number, tag: number, order: number, pageLo: number, pageHi: number): number {
  let low = pageLo;
  let high = pageHi;
  if (order >= 32) {
    low = pageHi >>> (order - 32);
    high = 0;
  } else if (order > 0) {
    low = (pageLo >>> order) | (pageHi << (32 - order));
    high = pageHi >>> order;
  }
  if (index === SET_INDEX.low) return low >>> 0;
  if (index === SET_INDEX.folded) return (low ^ (low >>> 6) ^ Math.imul(tag, 37)) >>> 0;
  let mixed = Math.imul(low ^ Math.imul(high, 0x27d4eb2f) ^ Math.imul(tag, 0x165667b1), 0x9e3779b1);
  mixed ^= mixed >>> 15;
  return Math.imul(mixed, 0x85ebca6b) >>> 8;
}
