import { INV_FORM, STREAM_ID } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import { EventCursor } from './event-cursor.ts';
import { IntList, NumberList } from './int-list.ts';

/** What an `inv` row is to the join. */
export const ROLE = { command: 0, wait: 1, doorbell: 2, reset: 3 } as const;

/** The commands of one log in order, as fingerprints: a few numbers per command, whatever the size of the log. */
export interface CommandLog {
  /** Two independent 32-bit hashes of the words of each command. */
  readonly key: Int32Array;
  readonly check: Int32Array;
  readonly time: Float64Array;
  /** Row of each command among all `inv` rows of the trace. */
  readonly invRow: Int32Array;
  /** `ROLE` of every `inv` row. */
  readonly role: Uint8Array;
  /** Rows whose words were rebuilt from decoded fields. */
  readonly decoded: number;
}

const WAIT_TYPE = 5;
const STATUS_WRITE = 0x20;

/**
 * Is this descriptor the wait that the driver's submit routine adds to every batch? That one writes a status word
 * (`QI_IWD_STATUS_WRITE`, drivers/iommu/intel/dmar.c, `qi_submit_sync`) and never passes the tracepoint `qi_submit`. Waits that
 * callers queue themselves, such as the drain of page requests, only fence: they are commands like any other.
 */
function isOwnWait(w0: number): boolean {
  return (w0 & 0xf) === WAIT_TYPE && (w0 & STATUS_WRITE) !== 0;
}

function mix(seed: number, a: number, b: number, c: number, d: number): number {
  let h = seed;
  for (const word of [a, b, c, d]) {
    h = Math.imul(h ^ word, 0x85ebca6b);
    h = (h << 13) | (h >>> 19);
    h = Math.imul(h, 5) + 0x6b64e654;
  }
  h ^= h >>> 16;
  return Math.imul(h, 0xc2b2ae35) ^ (h >>> 13);
}

/**
 * Reads the command sequence of a trace.
 *
 * `canonical` leaves out the bits that a decoded log line does not print (drain reads and writes, the invalidation hint), so
 * that decoded commands can be compared with raw words. The third and fourth word are not compared: no 128-bit queue has them.
 */
export function readCommands(trace: Trace, canonical = false): CommandLog {
  const key = new IntList();
  const check = new IntList();
  const time = new NumberList();
  const invRow = new IntList();
  const role = new IntList();
  let decoded = 0;
  const cursor = new EventCursor(trace, { columns: { inv: 'all' } });
  while (cursor.next()) {
    if (cursor.stream !== STREAM_ID.inv) continue;
    const { columns } = cursor.segment!.rows.inv;
    const { row } = cursor;
    const form = columns.form[row] ?? INV_FORM.words;
    let w0 = columns.w0Lo[row] ?? 0;
    if (form === INV_FORM.doorbell || form === INV_FORM.reset) {
      role.push(form === INV_FORM.doorbell ? ROLE.doorbell : ROLE.reset);
      continue;
    }
    if (form === INV_FORM.decoded) decoded++;
    if (isOwnWait(w0)) {
      role.push(ROLE.wait);
      continue;
    }
    role.push(ROLE.command);
    const w0Hi = columns.w0Hi[row] ?? 0;
    let w1 = columns.w1Lo[row] ?? 0;
    const w1Hi = columns.w1Hi[row] ?? 0;
    const type = w0 & 0xf;
    if (canonical && (type === 2 || type === 6)) {
      w0 &= ~0xc0;
      w1 &= ~0x40;
    }
    key.push(mix(0x1b873593, w0, w0Hi, w1, w1Hi));
    check.push(mix(0x2545f491, w1Hi, w1, w0Hi, w0));
    time.push(cursor.time);
    invRow.push(cursor.streamRow);
  }
  return {
    key: key.view(),
    check: check.view(),
    time: time.view(),
    invRow: invRow.view(),
    role: Uint8Array.from(role.view()),
    decoded,
  };
}
