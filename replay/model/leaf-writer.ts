import type { PageTableFormat } from './page-table-format.ts';
import type { LeafSize } from './table-geometry.ts';

const TWO_32 = 2 ** 32;

/**
 * Writes `leaves` leaves of one size into a table's words from `slot` (index of the first entry's low word) on, mapping from
 * page `out` upwards. `low` and `high`: bits beside address, mark and group.
 */
export function writeLeaves(
  words: Int32Array,
  format: PageTableFormat,
  slot: number,
  leaves: number,
  size: LeafSize,
  out: number,
  low: number,
  high: number,
): void {
  const { addressShift, addressNibble, group } = format;
  const { level, order } = size;
  let lowBits = low | format.leafMark[level]!;
  let highBits = high;
  let entries = 1;
  let step = size.pages;
  let repeat = 1;
  if (group !== undefined && order > 0) {
    lowBits |= group.low(level, order);
    highBits |= group.high(level, order);
    entries = 2 ** order;
    if (group.replicated) repeat = entries;
    else step /= entries;
  }
  const end = slot + leaves * entries * 2;
  let to = out;
  for (let at = slot; at < end; to += step) {
    const toLo = to | 0;
    let addressLo = toLo << addressShift;
    let addressHi = (toLo >>> (32 - addressShift)) | ((to / TWO_32) << addressShift);
    if (addressNibble) {
      addressLo |= (addressHi >>> 4) & 0xf000;
      addressHi &= 0xffff;
    }
    addressLo |= lowBits;
    addressHi |= highBits;
    for (let i = 0; i < repeat; i++, at += 2) {
      words[at] = addressLo;
      words[at + 1] = addressHi;
    }
  }
}
