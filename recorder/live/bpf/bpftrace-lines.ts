import { CALL_EVENT } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { eventRecord, writeCall, writeIoctl, writeLost } from '../../import/calls/call-rows.ts';
import { fileKind, keepsContents } from '../../import/calls/file-kind.ts';
import { OpenFiles } from '../../import/calls/open-files.ts';
import { ZERO, parseHexWords, wordsOf } from '../../import/calls/words.ts';
import type { Words } from '../../import/calls/words.ts';
import type { Health } from '../../../traces/health.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { POINTED_BYTES, QUEUE_BYTES, STRUCT_BYTES } from './bpftrace-program.ts';
import { Chunks, carriedBytes, isCut, memoryOf, readChunk } from './captured-memory.ts';
import type { Side } from './captured-memory.ts';
import { madeFile, namePart } from './made-files.ts';
import { linkOfFile, textOfWords } from './open-file.ts';
import { POINTER_FIELDS } from './struct-memory.ts';
import { TimeOrder } from './time-order.ts';

/** Calls that came and did not return yet, at most. */
const MAX_PENDING = 65_536;
const EFAULT = 14;
const MAX_ERRNO = 4095;
const MEMORY_FILE = '/memfd:';
const HEX_TIME = /^[0-9a-f]{1,16}$/;

/** A call, as far as its lines have come: lines of different CPUs come in any order. */
interface Pending {
  readonly before: Side;
  readonly after: Side;
  /** What a fault queue's read or write carried. */
  readonly data: Chunks;
  came: Came | undefined;
  returned: Returned | undefined;
  /** That told of it. */
  lines: number;
}

interface Came {
  readonly time: number;
  readonly pid: number;
  readonly tid: number;
  readonly fd: number;
  readonly request: number;
  readonly argument: Words;
  readonly size: number;
  /** As the kernel tells it; undefined where it does not. */
  readonly link: string | undefined;
  kind: string | undefined;
}

interface Returned {
  readonly time: number;
  readonly ret: Words;
  readonly size: number;
}

function newSide(): Side {
  return { struct: new Chunks(STRUCT_BYTES), pointed: undefined, memory: new Chunks(POINTED_BYTES) };
}

function errnoOf(ret: Words): number {
  return ret.hi === -1 && ret.lo < 0 && ret.lo >= -MAX_ERRNO ? -ret.lo : 0;
}

/** Link of an fd of a process that still runs. */
export type ReadLink = (pid: number, fd: number) => string | undefined;

/** Where rows go, and what they are counted from. */
export interface LineTarget {
  readonly sink: EventSink;
  readonly health: Health;
  readonly source: number;
  /** Of the trace's clock, ns. */
  readonly epoch: bigint;
  /** The process that the recording begins with; undefined where others were there before. */
  readonly root?: number | undefined;
}

/** Lines that no call owns: those of probes of kernel functions. True if the line was one of theirs. */
export type OtherLines = (
  tag: string,
  words: readonly string[],
  at: (time: string) => number,
  order: TimeOrder,
) => boolean;

/**
 * Turns the lines that our bpftrace program prints into rows, in order of time. Times are ns since the epoch. Pure but for
 * what it is given.
 */
export class BpftraceLines {
  readonly #target: LineTarget;
  readonly #readLink: ReadLink;
  readonly #now: () => bigint | undefined;
  readonly #other: OtherLines | undefined;
  readonly #pending = new Map<string, Pending>();
  readonly #files = new OpenFiles();
  readonly #order = new TimeOrder();
  /** What to subtract from the program's clock where it counts the time asleep as well. */
  #offset = 0n;
  lines = 0;
  lost = 0;
  /** Lines that became an event, and lines that went into the event of another. */
  events = 0;
  folded = 0;
  /** Structs, and memory behind pointers, of which only the beginning was read. */
  #cutStructs = 0;
  #cutMemory = 0;

  /** `now` is the clock of the trace in ns, to hold the program's own against; undefined where there is none. */
  constructor(target: LineTarget, readLink: ReadLink, now: () => bigint | undefined, other?: OtherLines) {
    this.#target = target;
    this.#readLink = readLink;
    this.#now = now;
    this.#other = other;
  }

  /** All rows of before this time are written. */
  horizon = Number.NEGATIVE_INFINITY;

  /** One message of bpftrace's JSON output, or one line of its text output. */
  message(text: string): void {
    if (!text.startsWith('{')) {
      this.#line(text);
      return;
    }
    let message: { readonly type?: unknown; readonly data?: unknown } | null;
    try {
      message = JSON.parse(text) as typeof message;
    } catch {
      this.lines++;
      this.#bad('message of bpftrace');
      return;
    }
    const { type, data } = message ?? {};
    if (type === 'printf' && typeof data === 'string') {
      this.#line(data.trimEnd());
      return;
    }
    this.lines++;
    this.folded++;
    if (type === 'lost_events') this.#lose(Number((data as { events?: unknown } | undefined)?.events ?? 1));
  }

  end(): void {
    this.#order.finish();
    const { health } = this.#target;
    if (this.#pending.size > 0) {
      this.folded -= this.#pending.size;
      health.add('ignored', 'call that did not return', undefined, this.#pending.size);
    }
    this.#pending.clear();
    if (this.#cutStructs > 0) {
      health.add('truncated', `struct of more than ${STRUCT_BYTES} bytes`, undefined, this.#cutStructs);
    }
    if (this.#cutMemory > 0) {
      const what = 'memory behind a pointer of which not all was read';
      health.add('truncated', what, undefined, this.#cutMemory);
    }
  }

  /** Lines that came too late for their place. */
  get late(): number {
    return this.#order.late;
  }

  #line(text: string): void {
    this.lines++;
    // `Lost 17 events`: in place of them.
    const lost = /^Lost (\d{1,9}) events$/.exec(text);
    if (lost !== null) {
      this.folded++;
      this.#lose(Number(lost[1]));
      return;
    }
    const [tag = '', ...words] = text.split(' ');
    if (this.#step(tag, words)) return;
    const at = (time: string): number => this.#time(time);
    if (this.#other?.(tag, words, at, this.#order) === true) this.events++;
    else this.#bad(`line ${tag.slice(0, 8)}`);
  }

  #step(tag: string, words: readonly string[]): boolean {
    switch (tag) {
      case 'T':
        return this.#reported(words);
      case 'E':
        return this.#came(words);
      case 'X':
        return this.#returned(words);
      case 'B':
      case 'A':
      case 'm':
      case 'n':
      case 'D':
        return this.#chunk(tag, words);
      case 'M':
      case 'N':
        return this.#pointer(tag, words);
      case 'R':
        return this.#queue(words);
      case 'S':
        return this.#start(words);
      case 'K':
        return this.#madeMemory(words);
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
    if (word === undefined || !HEX_TIME.test(word)) return Number.NaN;
    const time = Number(BigInt(`0x${word}`) - this.#offset - this.#target.epoch);
    // a number that a trace can't hold is none that a machine printed
    return Number.isSafeInteger(time) ? Math.max(0, time) : Number.NaN;
  }

  #call(tid: string | undefined, entered: string | undefined): Pending | undefined {
    if (!/^\d{1,10}$/.test(tid ?? '') || !HEX_TIME.test(entered ?? '')) return undefined;
    const key = `${tid} ${entered}`;
    let call = this.#pending.get(key);
    if (call === undefined) {
      if (this.#pending.size >= MAX_PENDING) return undefined;
      const data = new Chunks(QUEUE_BYTES);
      call = { before: newSide(), after: newSide(), data, came: undefined, returned: undefined, lines: 0 };
      this.#pending.set(key, call);
    }
    call.lines++;
    this.folded++;
    return call;
  }

  #reported([nsecs, cpu]: readonly string[]): boolean {
    const time = this.#time(nsecs);
    if (Number.isNaN(time) || !/^\d{1,5}$/.test(cpu ?? '')) return false;
    this.folded++;
    this.#order.report(Number(cpu), time);
    this.horizon = this.#order.release();
    return true;
  }

  #start([nsecs = '', cpus = '0']: readonly string[]): boolean {
    if (!HEX_TIME.test(nsecs) || !/^\d{1,5}$/.test(cpus)) return false;
    this.#order.cpus = Number(cpus);
    const now = this.#now();
    const ahead = now === undefined ? 0n : BigInt(`0x${nsecs}`) - now;
    if (ahead > 1_000_000_000n) this.#offset = ahead;
    const root = this.#target.root ?? ABSENT;
    const who = { time: this.#time(nsecs), pid: root, tid: root };
    if (Number.isNaN(who.time)) return false;
    writeCall(this.#target.sink, this.#target.source, eventRecord(CALL_EVENT.start, 'start', who));
    this.events++;
    return true;
  }

  #chunk(tag: string, [tid, entered, offset, ...words]: readonly string[]): boolean {
    const chunk = readChunk(words);
    const at = Number.parseInt(offset ?? '', 16);
    if (chunk === undefined || !(at >= 0)) return false;
    const call = this.#call(tid, entered);
    if (call === undefined) return false;
    const side = tag === 'B' || tag === 'm' ? call.before : call.after;
    const into = tag === 'D' ? call.data : tag === 'B' || tag === 'A' ? side.struct : side.memory;
    if (into.add(at, chunk)) return true;
    this.folded--;
    // nothing is known of a call that this line alone told of
    if (--call.lines === 0) this.#pending.delete(`${tid} ${entered}`);
    return false;
  }

  #pointer(tag: string, [tid, entered, index, address = '', length = '']: readonly string[]): boolean {
    const at = parseHexWords(address);
    const bytes = parseHexWords(length);
    if (POINTER_FIELDS[Number(index)] === undefined || at === undefined || bytes === undefined) return false;
    const call = this.#call(tid, entered);
    if (call === undefined) return false;
    const side = tag === 'M' ? call.before : call.after;
    side.pointed = { index: Number(index), address: at, length: bytes };
    return true;
  }

  #came(words: readonly string[]): boolean {
    const [nsecs, pid, tid, , fd, cmd = '', arg = '', size = '', mode = '', ...names] = words;
    const request = parseHexWords(cmd);
    const argument = parseHexWords(arg);
    const [folder = ZERO, ...name] = names.map((word) => parseHexWords(word) ?? ZERO);
    const time = this.#time(nsecs);
    if (request === undefined || argument === undefined || Number.isNaN(time)) return false;
    if (!/^\d{1,10}$/.test(pid ?? '')) return false;
    const call = this.#call(tid, nsecs);
    if (call === undefined) return false;
    const known = Number.parseInt(mode, 16);
    const text = textOfWords(name);
    call.came = {
      time,
      pid: Number(pid),
      tid: Number(tid),
      fd: Number(fd) | 0,
      request: request.lo,
      argument,
      size: Number.parseInt(size, 16) || 0,
      // Without the kernel's own word it is looked up now: later the process may be gone.
      link:
        known > 0 || text !== ''
          ? linkOfFile(known, textOfWords([folder]), text)
          : this.#readLink(Number(pid), Number(fd)),
      kind: undefined,
    };
    const { came } = call;
    this.#order.add(came.time, () => {
      const kind = this.#files.get(came.pid, came.fd);
      came.kind = kind ?? (came.link === undefined ? undefined : fileKind(came.link, came.pid));
    });
    this.#complete(`${tid} ${nsecs}`, call);
    return true;
  }

  #returned([entered, tid, nsecs, , ret = '', size = '']: readonly string[]): boolean {
    const time = this.#time(nsecs);
    const result = parseHexWords(ret);
    if (Number.isNaN(time) || result === undefined) return false;
    const call = this.#call(tid, entered);
    if (call === undefined) return false;
    call.returned = { time, ret: result, size: Number.parseInt(size, 16) || 0 };
    this.#complete(`${tid} ${entered}`, call);
    return true;
  }

  /** Both ends of a call are known, whichever came first. */
  #complete(key: string, { before, after, came, returned }: Pending): void {
    if (came === undefined || returned === undefined) return;
    this.#pending.delete(key);
    this.folded--;
    this.events++;
    const errno = errnoOf(returned.ret);
    const { size } = came;
    const { request } = came;
    const given = namePart(request, before.struct.first(size, came.argument));
    // A kernel that had more to say says how much, and writes no further than it may.
    const left = namePart(request, after.struct.first(size === 0 ? returned.size : size, came.argument));
    const file = errno === 0 ? madeFile(request, returned.ret.lo, left) : undefined;
    if (size > STRUCT_BYTES) this.#cutStructs++;
    const memory = memoryOf(before, after, errno === 0);
    if (isCut(memory, before, after)) this.#cutMemory++;
    this.#order.add(returned.time, (now) => {
      const { pid, tid, fd, argument, kind } = came;
      if (file !== undefined) this.#files.set(pid, file.fd, file.kind);
      // Sizes of 0 are refused; where the kernel went on, it saw more than we could: a page that was not in memory.
      const unseen = size === 0 || given.length === 0;
      writeIoctl(this.#target.sink, this.#target.source, {
        time: now,
        pid,
        tid,
        fd,
        duration: Math.max(0, returned.time - came.time),
        ret: returned.ret,
        errno,
        kind,
        memory,
        request,
        argument,
        before: unseen ? (errno === EFAULT ? null : undefined) : given,
        after: unseen ? undefined : left,
      });
    });
  }

  /** A read of or a write to a fault queue. */
  #queue([entered, pidText, tid, nsecs, , fd, retText = '', name = '', ...buf]: readonly string[]): boolean {
    const time = this.#time(nsecs);
    const came = this.#time(entered);
    const ret = parseHexWords(retText);
    const [buffer, count] = [parseHexWords(buf[0] ?? ''), parseHexWords(buf[1] ?? '')];
    if (Number.isNaN(time + came) || ret === undefined || buffer === undefined || count === undefined) return false;
    if (name !== 'read' && name !== 'write') return false;
    const call = this.#call(tid, entered);
    if (call === undefined) return false;
    this.#pending.delete(`${tid} ${entered}`);
    this.folded--;
    this.events++;
    const [pid, errno] = [Number(pidText), errnoOf(ret)];
    this.#order.add(time, (now) => {
      // By the call that made it: a kernel without BTF doesn't tell, and the process may be gone.
      const kind = this.#files.get(pid, Number(fd)) ?? fileKind(this.#readLink(pid, Number(fd)) ?? '', pid);
      const record = eventRecord(CALL_EVENT.syscall, name, { time: now, pid, tid: Number(tid) });
      writeCall(this.#target.sink, this.#target.source, {
        ...record,
        args: [wordsOf(Number(fd)), buffer, count],
        fd: Number(fd),
        duration: Math.max(0, time - came),
        ret,
        errno,
        kind,
        data: keepsContents(kind) ? carriedBytes(call.data, name, ret, errno, buffer, count) : undefined,
      });
    });
    return true;
  }

  #opened([nsecs, pidText, tidText, , retText, ...path]: readonly string[]): boolean {
    const time = this.#time(nsecs);
    const pid = Number(pidText);
    const ret = Number(retText);
    if (Number.isNaN(time) || !Number.isSafeInteger(ret)) return false;
    this.events++;
    this.#order.add(time, (now) => {
      const kind = fileKind(path.join(' '), pid);
      if (ret >= 0) this.#files.set(pid, ret, kind);
      writeCall(this.#target.sink, this.#target.source, {
        ...eventRecord(CALL_EVENT.syscall, 'openat', { time: now, pid, tid: Number(tidText) }, ret),
        errno: ret < 0 ? -ret : 0,
        kind,
      });
    });
    return true;
  }

  #madeMemory([nsecs, pidText, tidText, , retText, flagsText = '']: readonly string[]): boolean {
    const time = this.#time(nsecs);
    const pid = Number(pidText);
    const ret = Number(retText);
    const flags = parseHexWords(flagsText);
    if (Number.isNaN(time) || !Number.isSafeInteger(ret) || flags === undefined) return false;
    this.events++;
    this.#order.add(time, (now) => {
      if (ret >= 0) this.#files.set(pid, ret, MEMORY_FILE);
      writeCall(this.#target.sink, this.#target.source, {
        ...eventRecord(CALL_EVENT.syscall, 'memfd_create', { time: now, pid, tid: Number(tidText) }, ret),
        // Of its name nobody asks.
        args: [ZERO, { lo: flags.lo, hi: 0 }],
        errno: ret < 0 ? -ret : 0,
        kind: MEMORY_FILE,
      });
    });
    return true;
  }

  #closed([nsecs, pidText, tidText, , fdText]: readonly string[]): boolean {
    const time = this.#time(nsecs);
    const pid = Number(pidText);
    const fd = Number(fdText);
    if (Number.isNaN(time) || !Number.isInteger(fd)) return false;
    this.events++;
    this.#order.add(time, (now) => {
      const kind = this.#files.get(pid, fd);
      this.#files.set(pid, fd, undefined);
      writeCall(this.#target.sink, this.#target.source, {
        ...eventRecord(CALL_EVENT.syscall, 'close', { time: now, pid, tid: Number(tidText) }),
        args: [wordsOf(fd)],
        fd,
        kind,
      });
    });
    return true;
  }

  #forked([nsecs, pidText, tidText, , childText]: readonly string[]): boolean {
    const time = this.#time(nsecs);
    const pid = Number(pidText);
    const child = Number(childText);
    if (Number.isNaN(time) || !Number.isInteger(child)) return false;
    this.events++;
    this.#order.add(time, (now) => {
      this.#files.fork(pid, child);
      const who = { time: now, pid, tid: Number(tidText) };
      writeCall(this.#target.sink, this.#target.source, eventRecord(CALL_EVENT.fork, 'clone', who, child));
    });
    return true;
  }

  #ended([nsecs, pidText]: readonly string[]): boolean {
    const time = this.#time(nsecs);
    const pid = Number(pidText);
    if (Number.isNaN(time) || !Number.isInteger(pid)) return false;
    this.events++;
    this.#order.add(time, (now) => {
      this.#files.exit(pid);
      const who = { time: now, pid, tid: pid };
      writeCall(this.#target.sink, this.#target.source, eventRecord(CALL_EVENT.exit, 'exit', who));
    });
    return true;
  }

  #lose(count: number): void {
    this.lost += count;
    this.#target.health.add('lost', 'buffer of bpftrace full', undefined, count);
    writeLost(this.#target.sink, this.#target.source, this.#order.now, ABSENT, count);
  }

  #bad(what: string): void {
    this.#target.health.add('malformed', what);
  }
}
