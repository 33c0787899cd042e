import { ABSENT } from '../../../traces/units.ts';
import type { ByteCursor } from '../byte-cursor.ts';

/** `00:03.00` or `00:07.0`: bus, slot, function, each two hexadecimal digits or fewer. The requester id, or `ABSENT`. */
export function readBdf(cursor: ByteCursor): number {
  if (!cursor.hex() || cursor.hi !== 0 || cursor.lo >>> 8 !== 0) return ABSENT;
  const bus = cursor.lo;
  if (!cursor.byte(0x3a) || !cursor.hex() || cursor.hi !== 0 || cursor.lo >>> 5 !== 0) return ABSENT;
  const slot = cursor.lo;
  if (!cursor.byte(0x2e) || !cursor.hex() || cursor.hi !== 0 || cursor.lo >>> 3 !== 0) return ABSENT;
  return (bus << 8) | (slot << 3) | cursor.lo;
}
