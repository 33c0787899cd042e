import { commonShift } from './codec.ts';
import type { IntCodec } from './codec.ts';

/**
 * Difference to the value `variant` rows before (0: the value itself), zigzag, as byte planes: the low bytes of all rows, then
 * the next bytes, as many planes as the largest needs. Compresses better than varints where high bytes repeat, and decodes
 * faster. Layout: shift, number of planes, planes.
 */
export const deltaPlanes: IntCodec = {
  id: 2,
  name: 'delta-planes',
  variants: 5,
  weight: 1,
  encode(values, lag, out) {
    const shift = commonShift(values);
    const n = values.length;
    const residuals = new Int32Array(n);
    let union = 0;
    for (let i = 0; i < n; i++) {
      const before = lag === 0 || i < lag ? 0 : values[i - lag]! >> shift;
      const delta = ((values[i]! >> shift) - before) | 0;
      const zigzag = (delta << 1) ^ (delta >> 31);
      residuals[i] = zigzag;
      union |= zigzag;
    }
    const planes = union === 0 ? 1 : Math.ceil((32 - Math.clz32(union)) / 8);
    out.reserve(2 + n * planes);
    const { bytes } = out;
    let at = out.length;
    bytes[at++] = shift;
    bytes[at++] = planes;
    for (let plane = 0; plane < planes; plane++) {
      for (let i = 0; i < n; i++) bytes[at++] = residuals[i]! >>> (plane * 8);
    }
    out.length = at;
    return true;
  },
  decode(reader, lag, out) {
    const shift = reader.byte() & 31;
    const planes = reader.byte();
    const n = out.length;
    const bytes = reader.bytes;
    const base = reader.at;
    if (planes < 1 || planes > 4 || bytes.length - base < planes * n) throw new RangeError('column ends early');
    for (let i = 0; i < n; i++) {
      let zigzag = bytes[base + i]!;
      if (planes > 1) zigzag |= bytes[base + n + i]! << 8;
      if (planes > 2) zigzag |= bytes[base + 2 * n + i]! << 16;
      if (planes > 3) zigzag |= bytes[base + 3 * n + i]! << 24;
      const delta = (zigzag >>> 1) ^ -(zigzag & 1);
      out[i] = lag === 0 || i < lag ? delta : (out[i - lag]! + delta) | 0;
    }
    reader.at = base + planes * n;
    if (shift > 0) for (let i = 0; i < n; i++) out[i] = out[i]! << shift;
  },
};
