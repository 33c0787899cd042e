import { commonShift } from './codec.ts';
import type { IntCodec } from './codec.ts';
import { deltaPlanes } from './delta-planes.ts';
import { deltaVarint } from './delta-varint.ts';

/**
 * Addresses whose page and whose offset in the page follow different rules: bits 31..12 by `delta-varint` of lag 1, then
 * bits 11..0 by `delta-planes` of lag 0 (variant 0) or 1 (variant 1).
 */
export const pageSplit: IntCodec = {
  id: 6,
  name: 'page-split',
  variants: 2,
  weight: 1.12,
  encode(values, variant, out) {
    const n = values.length;
    if (commonShift(values) >= 12) return false;
    const pages = new Int32Array(n);
    const offsets = new Int32Array(n);
    split(values, pages, offsets);
    return deltaVarint.encode(pages, 1, out) && deltaPlanes.encode(offsets, variant, out);
  },
  decode(reader, variant, out) {
    deltaVarint.decode(reader, 1, out);
    const offsets = new Int32Array(out.length);
    deltaPlanes.decode(reader, variant, offsets);
    for (let i = 0; i < out.length; i++) out[i] = (out[i]! << 12) | (offsets[i]! & 0xfff);
  },
  decodeAt(machine, reader, variant, rows, out) {
    const { calls, at } = machine;
    if (!deltaVarint.decodeAt(machine, reader, 1, rows, out)) return false;
    if (!deltaPlanes.decodeAt(machine, reader, variant, rows, at.second)) return false;
    calls.split(out, at.second, rows);
    return true;
  },
};

function split(values: Int32Array, pages: Int32Array, offsets: Int32Array): void {
  for (let i = 0; i < values.length; i++) {
    pages[i] = values[i]! >> 12;
    offsets[i] = values[i]! & 0xfff;
  }
}
