import { ByteCursor, ascii } from '../byte-cursor.ts';

const HASH = 0x23;
const ENTRIES = ascii('entries-in-buffer/entries-written: ');
const CPUS = ascii('#P:');
const REPORT_CPUS = ascii('cpus=');
const LOST_CPU = ascii('CPU:');
const LOST = ascii(' [LOST ');
const LOST_END = ascii(' EVENTS]');
const DROPPED = ascii(' [');
const DROPPED_END = ascii(' EVENTS DROPPED]');
const DROPPED_ALL = ascii('EVENTS DROPPED]');
const VERSION = ascii('version = ');
const CPU = ascii('CPU ');
const EMPTY = ascii(' is empty');
const LATENCY = ascii(' latency trace v');
const ON = ascii(' on ');
const OS_RELEASE = ascii('# os release : ');
const ONLINE = ascii('# nrcpus online : ');
/** Longest release of a kernel (include/uapi/linux/utsname.h). */
const MAX_RELEASE = 64;

/** What a line that is no event says. */
export type CommentKind = 'none' | 'comment' | 'entries' | 'cpus' | 'kernel' | 'lost';

const DECODER = new TextDecoder('latin1');

/** Lines between the events: headers, legends and losses. One object is reused. */
export class CommentLine {
  readonly #cursor = new ByteCursor();
  /** Of `entries`: events in the file and events that were written to the ring buffer. */
  inBuffer = 0;
  written = 0;
  /** Of `entries` and `cpus`; 0 if the line has none. */
  cpus = 0;
  /** Of `kernel`: its release, `6.12.107`. */
  kernel = '';
  /** Of `lost`: which CPU lost how many; the count is 0 where the line doesn't say. */
  cpu = 0;
  count = 0;

  parse(bytes: Uint8Array, start: number, end: number): CommentKind {
    const cursor = this.#cursor;
    cursor.set(bytes, start, end);
    if (bytes[start] === HASH) return this.#header(start);
    if (cursor.literal(REPORT_CPUS) && cursor.int()) {
      this.cpus = cursor.lo;
      return 'cpus';
    }
    cursor.pos = start;
    cursor.skipSpaces();
    const { pos } = cursor;
    if (cursor.literal(LOST_CPU) && cursor.int()) {
      this.cpu = cursor.lo;
      return this.#lost() ? 'lost' : 'none';
    }
    cursor.pos = pos;
    if (cursor.literal(CPU) && cursor.int() && cursor.literal(EMPTY)) return 'comment';
    cursor.pos = pos;
    return cursor.literal(VERSION) ? 'comment' : 'none';
  }

  #header(start: number): CommentKind {
    if (this.#entries()) return 'entries';
    const cursor = this.#cursor;
    cursor.pos = start;
    if (this.#release()) return 'kernel';
    cursor.pos = start;
    if (!cursor.literal(ONLINE) || !cursor.int()) return 'comment';
    this.cpus = cursor.lo;
    return 'cpus';
  }

  // # nop latency trace v1.1.5 on 6.12.107+deb13-amd64      (tracefs with the option latency-format)
  // # os release : 6.12.107+deb13-amd64                     (perf script --header)
  #release(): boolean {
    const cursor = this.#cursor;
    const told = cursor.literal(OS_RELEASE) || (cursor.find(LATENCY) && cursor.find(ON));
    if (!told || !cursor.token()) return false;
    const { bytes, tokenStart, tokenEnd } = cursor;
    this.kernel = DECODER.decode(bytes.subarray(tokenStart, Math.min(tokenEnd, tokenStart + MAX_RELEASE)));
    return /^\d+\.\d+[\w.+~-]*$/.test(this.kernel);
  }

  // # entries-in-buffer/entries-written: 1187287/1187287   #P:2
  #entries(): boolean {
    const cursor = this.#cursor;
    if (!cursor.find(ENTRIES) || !cursor.decimal()) return false;
    this.inBuffer = value(cursor);
    if (!cursor.byte(0x2f) || !cursor.decimal()) return false;
    this.written = value(cursor);
    this.cpus = cursor.find(CPUS) && cursor.int() ? cursor.lo : 0;
    return true;
  }

  // CPU:1 [LOST 123 EVENTS]          (tracefs)
  // CPU:1 [123 EVENTS DROPPED]       (trace-cmd report; without a number if the ring buffer had no room for it)
  #lost(): boolean {
    const cursor = this.#cursor;
    const { pos } = cursor;
    if (cursor.literal(LOST) && cursor.decimal()) {
      this.count = value(cursor);
      return cursor.literal(LOST_END);
    }
    cursor.pos = pos;
    if (!cursor.literal(DROPPED)) return false;
    this.count = 0;
    if (cursor.literal(DROPPED_ALL)) return true;
    cursor.pos = pos + DROPPED.length;
    if (!cursor.decimal()) return false;
    this.count = value(cursor);
    return cursor.literal(DROPPED_END);
  }
}

/** The cursor's number as a double; counts of events are far below 2^53. */
function value(cursor: ByteCursor): number {
  return (cursor.hi >>> 0) * 4294967296 + (cursor.lo >>> 0);
}
