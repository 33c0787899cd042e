import { INV_FORM, STREAM_ID } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import { EventCursor } from './event-cursor.ts';
import { IntList, NumberList } from './int-list.ts';

/** What an `inv` row is to the join. */
export const ROLE = { command: 0, wait: 1, doorbell: 2, reset: 3 } as const;

/** Events of one log in order that the other log may hold too, as fingerprints: a few numbers each, whatever the size of the log. */
export interface Fingerprints {
  /** Two independent 32-bit hashes of what each is. */
  readonly key: Int32Array;
  readonly check: Int32Array;
  readonly time: Float64Array;
}

/** The commands of a log. */
export interface CommandLog extends Fingerprints {
  /** Number of the command that each `inv` row is, or is a part of; -1 for none. */
  readonly commandOf: Int32Array;
  /** `ROLE` of every `inv` row. */
  readonly role: Uint8Array;
  /** Rows whose words were rebuilt from decoded fields. */
  readonly decoded: number;
}

/** What a guest's log has of the commands: the commands, or the maps and unmaps that made the driver send them. */
export interface GuestLog extends Fingerprints {
  /** By stream number: the command that each row is or asked for, -1 for none. Streams without are left out. */
  readonly commandAt: readonly (Int32Array | undefined)[];
  /** The rows are the commands themselves. */
  readonly native: boolean;
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

export function mix(seed: number, a: number, b: number, c: number, d: number): number {
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
  const commandOf = new IntList();
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
      commandOf.push(-1);
      continue;
    }
    if (form === INV_FORM.decoded) decoded++;
    if (isOwnWait(w0)) {
      role.push(ROLE.wait);
      commandOf.push(-1);
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
    commandOf.push(key.length);
    key.push(mix(0x1b873593, w0, w0Hi, w1, w1Hi));
    check.push(mix(0x2545f491, w1Hi, w1, w0Hi, w0));
    time.push(cursor.time);
  }
  return {
    key: key.view(),
    check: check.view(),
    time: time.view(),
    commandOf: commandOf.view(),
    role: Uint8Array.from(role.view()),
    decoded,
  };
}

/** A log of commands as a guest's: its `inv` rows are the commands. */
export function nativeLog({ key, check, time, commandOf }: CommandLog): GuestLog {
  const commandAt: (Int32Array | undefined)[] = [];
  commandAt[STREAM_ID.inv] = commandOf;
  return { key, check, time, commandAt, native: true };
}
