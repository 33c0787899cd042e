import { SEEN, STREAM_ID } from '../../../traces/schema.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { ABSENT } from '../../../traces/units.ts';
import { encodeUserMemory } from '../../../traces/user-memory.ts';
import type { UserMemory } from '../../../traces/user-memory.ts';
import { VHOST_VDPA, writeVhostMessage } from './vhost-messages.ts';
import { ZERO, wordsOf } from './words.ts';
import type { Words } from './words.ts';

/** What all calls have. Times in ns; `time` is when the call returned. */
export interface CallResult {
  readonly time: number;
  readonly pid: number;
  readonly tid: number;
  readonly fd: number;
  readonly duration: number;
  readonly ret: Words;
  /** 0: it succeeded; -1: not known. */
  readonly errno: number;
  /** As `fileKind` gives it. */
  readonly kind: string | undefined;
  readonly memory: readonly UserMemory[];
}

export interface IoctlRecord extends CallResult {
  readonly request: number;
  readonly argument: Words | undefined;
  /** Undefined: nobody looked; null: it could not be read. */
  readonly before: Uint8Array | null | undefined;
  readonly after: Uint8Array | null | undefined;
}

export interface CallRecord extends CallResult {
  /** A value of `CALL_EVENT`. */
  readonly event: number;
  readonly name: string;
  readonly args: readonly Words[];
  readonly data: Uint8Array | undefined;
}

/** Fills in what an event that is no system call lacks. */
export function eventRecord(
  event: number,
  name: string,
  who: { readonly time: number; readonly pid: number; readonly tid: number },
  value = 0,
  data?: Uint8Array,
): CallRecord {
  const { time, pid, tid } = who;
  const ret = wordsOf(value);
  const nothing = { fd: ABSENT, duration: 0, errno: 0, kind: undefined, memory: [], args: [] };
  return { ...nothing, time, pid, tid, event, name, ret, data };
}

export function writeIoctl(sink: EventSink, source: number, record: IoctlRecord): void {
  const row = sink.begin(STREAM_ID.ioctl, record.time, ABSENT, record.tid, source);
  const { columns } = sink.rows.ioctl;
  const duration = wordsOf(record.duration);
  const { argument = ZERO, before, after } = record;
  columns.pid[row] = record.pid;
  columns.fd[row] = record.fd;
  columns.request[row] = record.request;
  columns.durationLo[row] = duration.lo;
  columns.durationHi[row] = duration.hi;
  columns.retLo[row] = record.ret.lo;
  columns.retHi[row] = record.ret.hi;
  columns.errno[row] = record.errno;
  columns.path[row] = record.kind === undefined ? ABSENT : sink.intern(record.kind);
  columns.argLo[row] = argument.lo;
  columns.argHi[row] = argument.hi;
  columns.seen[row] =
    (record.argument === undefined ? 0 : SEEN.argument) |
    (before ? SEEN.before : 0) |
    (after ? SEEN.after : 0) |
    (before === null ? SEEN.unreadable : 0);
  if (before) sink.setBytes(columns.before, row, before);
  if (after) sink.setBytes(columns.after, row, after);
  if (record.memory.length > 0) sink.setBytes(columns.memory, row, encodeUserMemory(record.memory));
}

/** Writes the call, and behind it the map or unmap that it asked of a vDPA device. */
export function writeCall(sink: EventSink, source: number, record: CallRecord): void {
  const row = sink.begin(STREAM_ID.call, record.time, ABSENT, record.tid, source);
  const { columns } = sink.rows.call;
  const duration = wordsOf(record.duration);
  const { args } = record;
  columns.event[row] = record.event;
  columns.pid[row] = record.pid;
  columns.name[row] = record.name === '' ? ABSENT : sink.intern(record.name);
  columns.fd[row] = record.fd;
  columns.a0Lo[row] = args[0]?.lo ?? 0;
  columns.a0Hi[row] = args[0]?.hi ?? 0;
  columns.a1Lo[row] = args[1]?.lo ?? 0;
  columns.a1Hi[row] = args[1]?.hi ?? 0;
  columns.a2Lo[row] = args[2]?.lo ?? 0;
  columns.a2Hi[row] = args[2]?.hi ?? 0;
  columns.a3Lo[row] = args[3]?.lo ?? 0;
  columns.a3Hi[row] = args[3]?.hi ?? 0;
  columns.a4Lo[row] = args[4]?.lo ?? 0;
  columns.a4Hi[row] = args[4]?.hi ?? 0;
  columns.a5Lo[row] = args[5]?.lo ?? 0;
  columns.a5Hi[row] = args[5]?.hi ?? 0;
  columns.durationLo[row] = duration.lo;
  columns.durationHi[row] = duration.hi;
  columns.retLo[row] = record.ret.lo;
  columns.retHi[row] = record.ret.hi;
  columns.errno[row] = record.errno;
  columns.path[row] = record.kind === undefined ? ABSENT : sink.intern(record.kind);
  if (record.data !== undefined) sink.setBytes(columns.data, row, record.data);
  if (record.memory.length > 0) sink.setBytes(columns.memory, row, encodeUserMemory(record.memory));
  if (isVhostMessage(record)) writeVhostMessage(sink, source, record.time, record.tid, record.data);
}

function isVhostMessage(record: CallRecord): record is CallRecord & { readonly data: Uint8Array } {
  const { name, errno, kind, data } = record;
  return errno === 0 && data !== undefined && name === 'write' && kind?.startsWith(VHOST_VDPA) === true;
}

/** A note, of a test case for example. */
export function writeMark(sink: EventSink, source: number, time: number, tid: number, text: string): void {
  const row = sink.begin(STREAM_ID.mark, time, ABSENT, tid, source);
  sink.rows.mark.columns.text[row] = sink.intern(text);
}

export function writeLost(sink: EventSink, source: number, time: number, tid: number, count: number): void {
  const row = sink.begin(STREAM_ID.lost, time, ABSENT, tid, source);
  const { lo, hi } = wordsOf(count);
  sink.rows.lost.columns.countLo[row] = lo;
  sink.rows.lost.columns.countHi[row] = hi;
}
