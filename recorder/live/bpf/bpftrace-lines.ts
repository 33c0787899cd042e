import { CALL_EVENT } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import type { UserMemory } from '../../../traces/user-memory.ts';
import { eventRecord, writeCall, writeIoctl, writeLost } from '../../import/calls/call-rows.ts';
import { fileKind } from '../../import/calls/file-kind.ts';
import { OpenFiles } from '../../import/calls/open-files.ts';
import { parseHexWords, wordsOf } from '../../import/calls/words.ts';
import type { Words } from '../../import/calls/words.ts';
import type { LiveSink } from '../live-source.ts';
import { PIECE_BYTES, POINTED_BYTES, STRUCT_BYTES } from './bpftrace-program.ts';
import { POINTER_FIELDS } from './struct-memory.ts';

const MAX_PENDING = 65_536;
const EFAULT = 14;
const MAX_ERRNO = 4095;

/** What a pointer of a struct pointed to, at one of the two ends of a call. */
interface Pointed {
  readonly field: string;
  readonly address: Words;
  readonly length: Words;
  readonly bytes: Uint8Array;
}

interface Side {
  struct: Uint8Array;
  size: number;
  readonly pointed: Map<number, Pointed>;
}

/** A call that was entered. */
interface Pending {
  readonly pid: number;
  readonly fd: number;
  readonly request: number;
  readonly argument: Words;
  readonly entered: number;
  readonly kind: string | undefined;
  readonly before: Side;
  readonly after: Side;
}

/** Up to 64 bytes from words as they are printed. Undefined where one is no number. */
function readPiece(words: readonly string[]): Uint8Array | undefined {
  const bytes = new Uint8Array(PIECE_BYTES);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < PIECE_BYTES / 8; i++) {
    const word = parseHexWords(words[i] ?? '');
    if (word === undefined) return undefined;
    view.setInt32(i * 8, word.lo, true);
    view.setInt32(i * 8 + 4, word.hi, true);
  }
  return bytes;
}

function newSide(): Side {
  return { struct: new Uint8Array(0), size: 0, pointed: new Map() };
}

/** Link of an fd of a process that still runs. */
export type ReadLink = (pid: number, fd: number) => string | undefined;

/** Turns the lines that our bpftrace program prints into rows. Times are ns since the trace's epoch. */
export class BpftraceLines {
  readonly #target: LiveSink;
  readonly #epoch: bigint;
  readonly #readLink: ReadLink;
  readonly #now: () => bigint;
  readonly #pending = new Map<number, Pending>();
  readonly #files = new OpenFiles();
  /** What to subtract from the program's clock where it counts the time asleep as well. */
  #offset = 0n;
  #newest = 0;
  lines = 0;
  lost = 0;
  /** Structs that were longer than what is read of them. */
  #cut = 0;

  /** `now` is the clock of the trace in ns, to hold the program's own against. */
  constructor(target: LiveSink, readLink: ReadLink, now: () => bigint) {
    this.#target = target;
    this.#epoch = BigInt(target.header.clock.epochNs);
    this.#readLink = readLink;
    this.#now = now;
  }

  /** One message of bpftrace's JSON output. */
  message(text: string): void {
    let message: { readonly type?: unknown; readonly data?: unknown };
    try {
      message = JSON.parse(text) as typeof message;
    } catch {
      this.#bad('message of bpftrace');
      return;
    }
    const { type, data } = message;
    if (type === 'printf' && typeof data === 'string') this.#line(data.trimEnd());
    else if (type === 'lost_events') this.#lose(Number((data as { events?: unknown } | undefined)?.events ?? 1));
  }

  end(): void {
    const { health } = this.#target;
    if (this.#pending.size > 0) health.add('ignored', 'call that did not return', undefined, this.#pending.size);
    if (this.#cut > 0) health.add('truncated', `struct of more than ${STRUCT_BYTES} bytes`, undefined, this.#cut);
  }

  #line(text: string): void {
    this.lines++;
    const [tag = '', ...words] = text.split(' ');
    if (!this.#step(tag, words)) this.#bad(`line ${tag.slice(0, 8)}`);
  }

  #step(tag: string, words: readonly string[]): boolean {
    switch (tag) {
      case 'S':
        return this.#start(words);
      case 'E':
        return this.#enter(words);
      case 'P':
        return this.#piece(words, 'before');
      case 'Q':
        return this.#piece(words, 'after');
      case 'M':
        return this.#pointer(words, 'before');
      case 'N':
        return this.#pointer(words, 'after');
      case 'm':
        return this.#pointedPiece(words, 'before');
      case 'n':
        return this.#pointedPiece(words, 'after');
      case 'X':
        return this.#exit(words);
      case 'O':
        return this.#opened(words);
      case 'C':
        return this.#closed(words);
      case 'F':
        return this.#forked(words);
      case 'Z':
        return this.#ended(words);
      default:
        return false;
    }
  }

  #time(word: string | undefined): number {
    const hex = /^[0-9a-f]{1,16}$/.test(word ?? '') ? BigInt(`0x${word}`) : 0n;
    const time = Number(hex - this.#offset - this.#epoch);
    // Lines of different CPUs may come in any order; rows are in order.
    this.#newest = Math.max(this.#newest, time, 0);
    return Math.max(0, time);
  }

  #start([nsecs = '']: readonly string[]): boolean {
    if (!/^[0-9a-f]{1,16}$/.test(nsecs)) return false;
    const ahead = BigInt(`0x${nsecs}`) - this.#now();
    if (ahead > 1_000_000_000n) this.#offset = ahead;
    const time = this.#time(nsecs);
    const who = { time, pid: ABSENT, tid: ABSENT };
    writeCall(this.#target.sink, this.#target.source, eventRecord(CALL_EVENT.start, 'start', who));
    return true;
  }

  #enter([nsecs, pidText, tidText, , fdText, cmd = '', arg = '', size = '', ...words]: readonly string[]): boolean {
    const pid = Number(pidText);
    const tid = Number(tidText);
    const fd = Number(fdText) | 0;
    const request = parseHexWords(cmd);
    const argument = parseHexWords(arg);
    const struct = readPiece(words);
    if (!Number.isInteger(tid) || request === undefined || argument === undefined || struct === undefined) return false;
    if (this.#pending.size >= MAX_PENDING) return false;
    const link = this.#files.get(pid, fd) ?? fileKind(this.#readLink(pid, fd) ?? '', pid);
    const before = { ...newSide(), struct, size: this.#sizeOf(size) };
    const entered = this.#time(nsecs);
    this.#pending.set(tid, {
      pid,
      fd,
      request: request.lo,
      argument,
      entered,
      kind: link,
      before,
      after: newSide(),
    });
    return true;
  }

  #sizeOf(text: string): number {
    const size = Number(`0x${text}`);
    if (size > STRUCT_BYTES) this.#cut++;
    return Math.min(STRUCT_BYTES, size);
  }

  #piece([tid, offset, ...words]: readonly string[], side: 'before' | 'after'): boolean {
    const call = this.#pending.get(Number(tid));
    const bytes = readPiece(words);
    if (call === undefined || bytes === undefined) return false;
    const at = Number(offset);
    if (!Number.isInteger(at) || at < PIECE_BYTES || at > STRUCT_BYTES - PIECE_BYTES) return false;
    const { struct } = call[side];
    const longer = new Uint8Array(Math.max(struct.length, at + PIECE_BYTES));
    longer.set(struct);
    longer.set(bytes, at);
    call[side].struct = longer;
    return true;
  }

  #pointer([tid, index, address = '', length = '']: readonly string[], side: 'before' | 'after'): boolean {
    const call = this.#pending.get(Number(tid));
    const field = POINTER_FIELDS[Number(index)]?.field;
    const at = parseHexWords(address);
    const bytes = parseHexWords(length);
    if (call === undefined || field === undefined || at === undefined || bytes === undefined) return false;
    const known = bytes.hi === 0 ? Math.min(POINTED_BYTES, bytes.lo >>> 0) : POINTED_BYTES;
    call[side].pointed.set(Number(index), { field, address: at, length: bytes, bytes: new Uint8Array(known) });
    return true;
  }

  #pointedPiece([tid, offset, ...words]: readonly string[], side: 'before' | 'after'): boolean {
    const call = this.#pending.get(Number(tid));
    const bytes = readPiece(words);
    // A call has one pointer of these.
    const [pointed] = call === undefined ? [] : call[side].pointed.values();
    const at = Number(offset);
    if (pointed === undefined || bytes === undefined || !(at >= 0 && at < pointed.bytes.length)) return false;
    pointed.bytes.set(bytes.subarray(0, Math.min(PIECE_BYTES, pointed.bytes.length - at)), at);
    return true;
  }

  #exit([nsecs, tidText, , retText = '', size = '', ...words]: readonly string[]): boolean {
    const tid = Number(tidText);
    const call = this.#pending.get(tid);
    const ret = parseHexWords(retText);
    const struct = readPiece(words);
    if (call === undefined || ret === undefined || struct === undefined) return false;
    this.#pending.delete(tid);
    const { pid, fd, request, argument, entered, kind, before, after } = call;
    const pieces = new Uint8Array(Math.max(PIECE_BYTES, after.struct.length));
    pieces.set(after.struct);
    pieces.set(struct);
    after.struct = pieces;
    after.size = Math.min(STRUCT_BYTES, Number(`0x${size}`));
    const returned = this.#time(nsecs);
    const failed = ret.hi === -1 && ret.lo < 0 && ret.lo >= -MAX_ERRNO;
    const errno = failed ? -ret.lo : 0;
    // Sizes of 0 are refused; where the kernel went on, it saw more than we could: a page that was not in memory.
    const unseen = before.size === 0 ? (errno === EFAULT ? null : undefined) : before.struct.subarray(0, before.size);
    writeIoctl(this.#target.sink, this.#target.source, {
      time: this.#newest,
      pid,
      tid,
      fd,
      duration: Math.max(0, returned - entered),
      ret,
      errno,
      kind,
      memory: memoryOf(before, after),
      request,
      argument,
      before: unseen,
      after: before.size === 0 ? undefined : after.struct.subarray(0, Math.max(before.size, after.size)),
    });
    return true;
  }

  #opened([nsecs, pidText, tidText, retText, ...path]: readonly string[]): boolean {
    const pid = Number(pidText);
    const ret = Number(retText);
    if (!Number.isSafeInteger(ret)) return false;
    const kind = fileKind(path.join(' '), pid);
    if (ret >= 0) this.#files.set(pid, ret, kind);
    this.#time(nsecs);
    writeCall(this.#target.sink, this.#target.source, {
      ...eventRecord(CALL_EVENT.syscall, 'openat', { time: this.#newest, pid, tid: Number(tidText) }, ret),
      errno: ret < 0 ? -ret : 0,
      kind,
    });
    return true;
  }

  #closed([nsecs, pidText, tidText, fdText]: readonly string[]): boolean {
    const pid = Number(pidText);
    const fd = Number(fdText);
    if (!Number.isInteger(fd)) return false;
    const kind = this.#files.get(pid, fd);
    this.#files.set(pid, fd, undefined);
    this.#time(nsecs);
    writeCall(this.#target.sink, this.#target.source, {
      ...eventRecord(CALL_EVENT.syscall, 'close', { time: this.#newest, pid, tid: Number(tidText) }),
      args: [wordsOf(fd)],
      fd,
      kind,
    });
    return true;
  }

  #forked([nsecs, pidText, tidText, childText]: readonly string[]): boolean {
    const pid = Number(pidText);
    const child = Number(childText);
    if (!Number.isInteger(child)) return false;
    this.#files.fork(pid, child);
    this.#time(nsecs);
    const who = { time: this.#newest, pid, tid: Number(tidText) };
    writeCall(this.#target.sink, this.#target.source, eventRecord(CALL_EVENT.fork, 'clone', who, child));
    return true;
  }

  #ended([nsecs, pidText]: readonly string[]): boolean {
    const pid = Number(pidText);
    if (!Number.isInteger(pid)) return false;
    this.#files.exit(pid);
    this.#time(nsecs);
    const who = { time: this.#newest, pid, tid: pid };
    writeCall(this.#target.sink, this.#target.source, eventRecord(CALL_EVENT.exit, 'exit', who));
    return true;
  }

  #lose(count: number): void {
    this.lost += count;
    this.#target.health.add('lost', 'buffer of bpftrace full', undefined, count);
    writeLost(this.#target.sink, this.#target.source, this.#newest, ABSENT, count);
  }

  #bad(what: string): void {
    this.#target.health.add('malformed', what);
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Memory that can't be read gives zeros: null where nothing else came, so that nobody takes it for what was there. */
function seenBytes(pointed: Pointed | undefined): Uint8Array | null {
  if (pointed === undefined || (pointed.address.lo === 0 && pointed.address.hi === 0)) return null;
  return isZero(pointed.bytes) && pointed.bytes.length > 0 ? null : pointed.bytes;
}

function memoryOf(before: Side, after: Side): readonly UserMemory[] {
  const indexes = new Set([...before.pointed.keys(), ...after.pointed.keys()]);
  return [...indexes].flatMap((index) => {
    const first = before.pointed.get(index);
    const last = after.pointed.get(index);
    const any = first ?? last;
    if (any === undefined) return [];
    return {
      field: any.field,
      addressLo: any.address.lo,
      addressHi: any.address.hi,
      lengthLo: any.length.lo,
      lengthHi: any.length.hi,
      before: seenBytes(first),
      after: last === undefined ? undefined : seenBytes(last),
    };
  });
}
