import { CALL_EVENT } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import { eventRecord, writeCall, writeIoctl } from './calls/call-rows.ts';
import type { CallResult } from './calls/call-rows.ts';
import { FaultQueueFds } from './calls/fault-queue-fds.ts';
import { PLAIN_FILE, fileKind, keepsContents } from './calls/file-kind.ts';
import { OpenFiles } from './calls/open-files.ts';
import { namesAnotherRequest, parseRequest, parseStraceCall, parseStraceLine } from './calls/strace-line.ts';
import type { StraceCall, StraceContent, StraceLine } from './calls/strace-line.ts';
import { annotatedPath, parseNumber, parseString } from './calls/strace-values.ts';
import { VFIO_FILES, isContainerOnly, vfioFile } from './calls/vfio-files.ts';
import { ZERO } from './calls/words.ts';
import type { Words } from './calls/words.ts';
import { StraceClock } from './calls/strace-clock.ts';
import type { ImportFacts, ImportHeader, ImportRun, ImportTarget, Importer } from './importer.ts';
import { LineSplitter } from './lines.ts';
import type { LineReader } from './lines.ts';

const MAX_PLACES = 100;
/** Unfinished calls that are held; a thread has one at most. */
const MAX_UNFINISHED = 65_536;
const GET_DEVICE_FD = 0x3b6a;

/** Calls whose result is a new fd, and what kind of file it is; undefined: what their path argument says. */
const OPENS: ReadonlyMap<string, { readonly path: number } | { readonly kind: string }> = new Map<
  string,
  { readonly path: number } | { readonly kind: string }
>([
  ['open', { path: 0 }],
  ['creat', { path: 0 }],
  ['openat', { path: 1 }],
  ['openat2', { path: 1 }],
  ['memfd_create', { kind: '/memfd:' }],
  ['eventfd', { kind: 'anon_inode:[eventfd]' }],
  ['eventfd2', { kind: 'anon_inode:[eventfd]' }],
  ['socket', { kind: 'socket:' }],
  ['pidfd_open', { kind: 'anon_inode:[pidfd]' }],
]);
const DUPLICATES: ReadonlySet<string> = new Set(['dup', 'dup2', 'dup3']);
const FORKS: ReadonlySet<string> = new Set(['fork', 'vfork', 'clone', 'clone3']);
/** Calls whose first argument is no fd, of those that take part in what a model follows. */
const NO_FD: ReadonlySet<string> = new Set([
  ...OPENS.keys(),
  ...FORKS,
  'brk',
  'munmap',
  'mremap',
  'mprotect',
  'madvise',
  'execve',
  'exit',
  'exit_group',
  'poll',
  'wait4',
  'pipe',
  'pipe2',
]);
/** Position of the fd argument where it is not the first. */
const FD_POSITION: ReadonlyMap<string, number> = new Map([['mmap', 4]]);

/**
 * What strace prints, 6.x and 7.x, with any of -f, -t, -tt, -ttt, -r, -T, -y, -X raw, -X verbose. Names and results are
 * there, contents of ioctl structs are not. Times are when calls returned.
 */
export const strace: Importer = {
  name: 'strace',
  description: 'strace output: calls and results, without the contents of ioctl structs',
  side: 'guest',
  calls: true,
  detect,
  describe,
  create: (target) => new StraceRun(target),
};

function firstLines(head: Uint8Array): string[] {
  const lines = new TextDecoder('latin1').decode(head.subarray(0, 16_384)).split('\n');
  return (lines.length > 1 ? lines.slice(0, -1) : lines).filter((line) => line.trim() !== '');
}

function detect(head: Uint8Array): number {
  const lines = firstLines(head).map((line) => parseStraceLine(line.trimEnd()));
  const known = lines.filter(({ content }) => content !== undefined);
  // Any C-like text has calls with results; strace's has little else.
  return known.length === 0 ? 0 : (0.95 * known.length) / lines.length;
}

function describe(head: Uint8Array): ImportHeader {
  const first = firstLines(head)
    .map((line) => parseStraceLine(line.trimEnd()).time)
    .find((time) => time !== undefined);
  const clock = StraceClock.describe(first);
  return {
    source: { format: 'strace', producer: 'strace' },
    host: {},
    clock,
    fidelity: { ioctl: 'partial', call: 'partial', map: 'partial', unmap: 'partial' },
  };
}

/** Without -T, the two parts of a call tell how long it took. */
function withDuration(call: StraceCall, between: number): StraceCall {
  return call.duration === undefined ? { ...call, duration: Math.max(0, between) } : call;
}

class StraceRun implements ImportRun, LineReader {
  readonly #target: ImportTarget;
  readonly #source: number;
  readonly #splitter: LineSplitter;
  readonly #clock: StraceClock;
  readonly #files = new OpenFiles();
  readonly #faultQueues = new FaultQueueFds();
  /** Process of each thread; threads that came from nowhere belong to the first process. */
  readonly #processes = new Map<number, number>();
  readonly #unfinished = new Map<number, { readonly name: string; readonly text: string; readonly entered: number }>();
  #firstPid = ABSENT;
  #time = 0;
  #containerSeen = false;
  #begun = false;
  #events = 0;
  #folded = 0;
  #blank = 0;
  #skipped = 0;
  #malformed = 0;

  constructor(target: ImportTarget) {
    this.#target = target;
    this.#source = target.source ?? 0;
    this.#splitter = new LineSplitter(this);
    this.#clock = new StraceClock(target.header.clock);
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  line(bytes: Uint8Array, start: number, end: number, number: number): void {
    const text = new TextDecoder('latin1').decode(bytes.subarray(start, end)).trimEnd();
    if (text === '') {
      this.#blank++;
      return;
    }
    const line = parseStraceLine(text);
    if (line.content === undefined || !this.#content(line, line.content, number)) {
      this.#malformed++;
      this.#target.health.add('malformed', 'line', this.#malformed <= MAX_PLACES ? this.#place(number) : undefined);
    }
  }

  tooLong(number: number): void {
    this.#skipped++;
    this.#target.health.add('truncated', 'line of more than 1 MiB (skipped)', this.#place(number));
  }

  unterminated(_bytes: Uint8Array, _start: number, _end: number, number: number): void {
    this.#skipped++;
    this.#target.health.add('truncated', 'last line is cut (skipped)', this.#place(number));
  }

  end(): ImportFacts {
    this.#splitter.end();
    const left = this.#unfinished.size;
    if (left > 0) {
      this.#folded -= left;
      this.#target.health.add('ignored', 'call that did not return', undefined, left);
    }
    return {
      lines: this.#splitter.count,
      events: this.#events,
      folded: this.#folded,
      blank: this.#blank,
      skipped: this.#skipped,
      notes: { structs: 'strace does not print the contents of ioctl structs' },
    };
  }

  /** False for what can't be understood after all. */
  #content(line: StraceLine, content: StraceContent, number: number): boolean {
    if (content.kind === 'notice') {
      this.#target.health.add('ignored', 'notice of strace', this.#place(number));
      return true;
    }
    const tid = line.tid ?? ABSENT;
    const pid = this.#processOf(tid);
    const entered = this.#clock.read(line.time, this.#time);
    this.#begin(pid, tid);
    switch (content.kind) {
      case 'unfinished':
        if (this.#unfinished.size >= MAX_UNFINISHED || this.#unfinished.has(tid)) return false;
        this.#unfinished.set(tid, { name: content.name, text: content.text, entered });
        this.#folded++;
        return true;
      case 'resumed': {
        const begun = this.#unfinished.get(tid);
        if (begun?.name !== content.name) return false;
        const gap = content.text.startsWith(')') || begun.text.endsWith('(') ? '' : ', ';
        const call = parseStraceCall(content.name, begun.text + gap + content.text);
        if (call === undefined) return false;
        this.#unfinished.delete(tid);
        return this.#call(withDuration(call, entered - begun.entered), pid, tid, begun.entered, number);
      }
      case 'exit':
        this.#event(CALL_EVENT.exit, 'exit', pid, tid, content.status, entered);
        if (pid === tid) this.#files.exit(pid);
        return true;
      case 'signal':
        this.#event(CALL_EVENT.signal, 'signal', pid, tid, content.signal, entered);
        return true;
      case 'call':
        return this.#call(content, pid, tid, entered, number);
    }
  }

  #processOf(tid: number): number {
    if (this.#firstPid === ABSENT) this.#firstPid = tid;
    return this.#processes.get(tid) ?? this.#firstPid;
  }

  /** strace follows a program from its first call, or one that runs already: fds that it had are not known then. */
  #begin(pid: number, tid: number): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#event(CALL_EVENT.start, 'start', pid, tid, 0, 0);
    this.#events--;
  }

  #event(event: number, name: string, pid: number, tid: number, value: number, time: number): void {
    this.#time = Math.max(this.#time, time);
    writeCall(this.#target.sink, this.#source, eventRecord(event, name, { time: this.#time, pid, tid }, value));
    this.#events++;
  }

  #call(call: StraceCall, pid: number, tid: number, entered: number, number: number): boolean {
    const { name, args } = call;
    const request = name === 'ioctl' ? parseRequest(args[1] ?? '') : undefined;
    if (name === 'ioctl' && request === undefined) {
      this.#target.health.add('ignored', 'ioctl of another driver, printed by name', this.#place(number));
      return true;
    }
    if (request !== undefined && namesAnotherRequest(args[1] ?? '', request)) return false;
    const told = call.duration ?? 0;
    // A time beyond 2^53 ns is no time.
    const duration = Number.isSafeInteger(entered + told) ? told : 0;
    this.#time = Math.max(this.#time, entered + duration);
    const result: CallResult = {
      time: this.#time,
      pid,
      tid,
      fd: this.#fdOf(name, args),
      duration,
      ret: call.ret,
      errno: call.errno,
      kind: undefined,
      memory: [],
    };
    if (request === undefined) this.#systemCall(call, result);
    else this.#ioctl(call, request, result);
    this.#events++;
    return true;
  }

  #fdOf(name: string, args: readonly string[]): number {
    if (NO_FD.has(name)) return ABSENT;
    const position = FD_POSITION.get(name) ?? 0;
    const text = args[position] ?? '';
    // A number in hexadecimal is an address or a flag.
    return /^-?\d{1,9}(?:<|$| )/.test(text) ? (parseNumber(text)?.lo ?? ABSENT) : ABSENT;
  }

  #kindOf(pid: number, fd: number, argument: string): string | undefined {
    const path = annotatedPath(argument);
    if (path !== undefined) return fileKind(path, pid);
    return fd < 0 ? undefined : this.#files.get(pid, fd);
  }

  #ioctl({ args, ret, errno, result: text }: StraceCall, request: number, result: CallResult): void {
    this.#containerSeen ||= isContainerOnly(request);
    const { pid, fd } = result;
    const kind = this.#kindOf(pid, fd, args[0] ?? '') ?? vfioFile(request, this.#containerSeen);
    const record = {
      ...result,
      kind,
      request,
      argument: parseNumber(args[2] ?? ''),
      before: undefined,
      after: undefined,
    };
    writeIoctl(this.#target.sink, this.#source, record);
    this.#faultQueues.ioctl(pid, request, errno);
    if (request === GET_DEVICE_FD && errno === 0) {
      this.#files.set(pid, ret.lo, fileKind(annotatedPath(text) ?? VFIO_FILES.device, pid));
    }
  }

  #systemCall(call: StraceCall, result: CallResult): void {
    const { name, args } = call;
    const { pid, fd } = result;
    const opened = this.#openedKind(call, pid);
    const position = FD_POSITION.get(name) ?? 0;
    let kind = opened ?? (fd < 0 ? undefined : this.#kindOf(pid, fd, args[position] ?? ''));
    if (kind === undefined && name === 'read' && call.errno === 0) {
      this.#faultQueues.read(this.#files, pid, fd, call.ret.lo, parseString(args[1] ?? ''));
      kind = this.#files.get(pid, fd);
    }
    const numbers: Words[] = args.slice(0, 6).map((argument) => parseNumber(argument) ?? ZERO);
    const data = /^p?(?:read|write)(?:64)?$/.test(name) && keepsContents(kind) ? parseString(args[1] ?? '') : undefined;
    const record = { ...result, kind, event: CALL_EVENT.syscall, name, args: numbers, data };
    if (call.errno === 0) this.#follow(call, result, opened);
    if (call.errno === 0 && name.startsWith('execve')) {
      const who = { time: this.#time, pid, tid: result.tid };
      writeCall(this.#target.sink, this.#source, eventRecord(CALL_EVENT.exec, 'exec', who));
    }
    writeCall(this.#target.sink, this.#source, record);
  }

  /** What kind of file a call that gives a new fd opened, or tried to. */
  #openedKind({ name, args }: StraceCall, pid: number): string | undefined {
    const how = OPENS.get(name);
    if (how === undefined) return undefined;
    if ('kind' in how) return how.kind;
    const path = parseString(args[how.path] ?? '');
    return path === undefined ? PLAIN_FILE : (fileKind(Buffer.from(path).toString(), pid) ?? PLAIN_FILE);
  }

  /** Keeps track of fds and of threads after a call that succeeded. */
  #follow({ name, args, ret }: StraceCall, { pid, tid, fd }: CallResult, opened: string | undefined): void {
    if (opened !== undefined) this.#files.set(pid, ret.lo, opened);
    else if (name === 'close') this.#files.set(pid, fd, undefined);
    else if (DUPLICATES.has(name) || (name === 'fcntl' && /F_DUPFD/.test(args[1] ?? ''))) {
      this.#files.set(pid, ret.lo, this.#files.get(pid, fd));
    } else if (FORKS.has(name) && ret.lo > 0) {
      const child = ret.lo;
      if (args.some((argument) => argument.includes('CLONE_THREAD'))) {
        this.#processes.set(child, pid);
        return;
      }
      this.#processes.set(child, child);
      this.#files.fork(pid, child);
      const who = { time: this.#time, pid, tid };
      writeCall(this.#target.sink, this.#source, eventRecord(CALL_EVENT.fork, name, who, child));
    }
  }

  #place(number: number): string {
    return `${this.#target.file}:${number}`;
  }
}
