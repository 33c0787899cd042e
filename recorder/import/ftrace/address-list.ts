import type { AddressList } from '../../ftrace/rows/address-list.ts';
import { MAX_LIST } from '../../ftrace/rows/dma-rows.ts';
import type { ByteCursor } from '../byte-cursor.ts';
import { ascii } from '../byte-cursor.ts';

const OPEN = 0x7b;
const CLOSE = 0x7d;
const COMMA = 0x2c;
const EMPTY = ascii('(null)');

/** Reads `{0x111ea3000,0x11093d000}` at the cursor. False if it isn't a list, or has more elements than a kernel would print. */
export function readAddressList(cursor: ByteCursor, list: AddressList): boolean {
  list.clear();
  const { pos } = cursor;
  if (cursor.literal(EMPTY)) return true;
  cursor.pos = pos;
  if (!cursor.byte(OPEN)) return false;
  if (cursor.pos < cursor.end && cursor.bytes[cursor.pos] === CLOSE) {
    cursor.pos++;
    return true;
  }
  for (;;) {
    if (!cursor.hex0x() || list.count >= MAX_LIST) return false;
    list.add(cursor.lo, cursor.hi);
    const next = cursor.pos < cursor.end ? cursor.bytes[cursor.pos++] : 0;
    if (next === CLOSE) return true;
    if (next !== COMMA) return false;
  }
}
