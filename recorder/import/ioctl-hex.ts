import { FAULT_QUEUE_FILE } from '../../traces/ioctl-requests.ts';
import { CALL_EVENT } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import { eventRecord, writeCall, writeIoctl } from './calls/call-rows.ts';
import type { IoctlRecord } from './calls/call-rows.ts';
import { isContainerOnly, vfioFile } from './calls/vfio-files.ts';
import { ZERO, parseHexBytes, parseHexWords, wordsOf } from './calls/words.ts';
import type { Words } from './calls/words.ts';
import type { ImportFacts, ImportHeader, ImportRun, ImportTarget, Importer } from './importer.ts';
import { LineSplitter } from './lines.ts';
import type { LineReader } from './lines.ts';

const MAX_PLACES = 100;
/** `39.567314692 E ` or X: when, and whether the call was entered or returned. */
const CALL_LINE = /^(\d{1,9})\.(\d{9}) ([EX]) (.*)$/;
/** `FAULT : 05 00 ...`: a record that was read from a fault queue. */
const FAULT_LINE = /^FAULT : ([0-9a-f ]+)$/;
/** `RESP cookie=1 code=0`: a response that was written to it. */
const RESPONSE_LINE = /^RESP cookie=(\d{1,10}) code=(\d{1,10})$/;

/**
 * Struct bytes of a program's ioctls: an E line with the bytes before, an X line with result and bytes after.
 *
 *     39.567314692 E cmd=0x3b76 type=0x3b nr=118 arg=0x7ffcebccac50 len=24 : 18 00 00 00 ...
 *     39.570760976 X cmd=0x3b76 type=0x3b nr=118 arg=0x7ffcebccac50 len=24 ret=0 errno=0 : 18 00 00 00 ...
 *
 * One thread, no fds: which kind of file a call was made on follows from its request.
 */
export const ioctlHex: Importer = {
  name: 'ioctl-hex',
  description: 'struct bytes before (E) and after (X) each ioctl, as hexadecimal text',
  side: 'guest',
  calls: true,
  detect: (head) => shareOfLines(firstLines(head)),
  describe,
  create: (target) => new IoctlHexRun(target),
};

function firstLines(head: Uint8Array): string[] {
  const lines = new TextDecoder('latin1').decode(head.subarray(0, 8192)).split('\n');
  // The last one may be cut.
  return (lines.length > 1 ? lines.slice(0, -1) : lines).filter((line) => line.trim() !== '');
}

function shareOfLines(lines: readonly string[]): number {
  const known = lines.filter((line) => parseLine(line.trimEnd()) !== undefined);
  return lines.length === 0 ? 0 : known.length / lines.length;
}

function describe(head: Uint8Array): ImportHeader {
  const times = firstLines(head).map((line) => parseLine(line.trimEnd()));
  const first = times.find((line) => line !== undefined && 'time' in line);
  return {
    source: { format: 'ioctl-hex', producer: 'ioctl wrapper' },
    host: {},
    clock: { epochNs: String(first !== undefined && 'time' in first ? first.time : 0), name: 'mono', resolutionNs: 1 },
    fidelity: { ioctl: 'full', call: 'partial' },
  };
}

interface CallLine {
  /** ns of the source's clock. */
  readonly time: number;
  readonly entered: boolean;
  readonly request: number;
  readonly argument: Words | undefined;
  /** Bytes that follow the colon; undefined where there are none. */
  readonly bytes: Uint8Array | undefined;
  readonly ret: number;
  readonly errno: number;
}

type HexLine = CallLine | { readonly fault: Uint8Array } | { readonly cookie: number; readonly code: number };

/** Undefined for any other text, and where the bytes are not as many as `len` says. */
function parseLine(line: string): HexLine | undefined {
  const call = CALL_LINE.exec(line);
  if (call !== null) return parseCall(call);
  const fault = FAULT_LINE.exec(line);
  if (fault !== null) {
    const bytes = parseHexBytes((fault[1] ?? '').replaceAll(' ', ''));
    return bytes === undefined ? undefined : { fault: bytes };
  }
  const response = RESPONSE_LINE.exec(line);
  return response === null ? undefined : { cookie: Number(response[1]), code: Number(response[2]) };
}

function parseCall([, seconds = '', nanoseconds = '', direction, rest = '']: RegExpExecArray): CallLine | undefined {
  const colon = rest.indexOf(' :');
  if (colon < 0) return undefined;
  const fields = new Map(
    rest
      .slice(0, colon)
      .split(' ')
      .map((pair) => splitPair(pair)),
  );
  const request = parseHexWords(fields.get('cmd') ?? '');
  const length = Number(fields.get('len') ?? Number.NaN);
  const bytes = parseHexBytes(rest.slice(colon + 2).replaceAll(' ', ''));
  const argument = fields.get('arg') === '(nil)' ? ZERO : parseHexWords(fields.get('arg') ?? '');
  const ret = Number(fields.get('ret') ?? 0);
  const errno = Number(fields.get('errno') ?? 0);
  if (request?.hi !== 0 || bytes?.length !== length) return undefined;
  const time = Number(seconds) * 1e9 + Number(nanoseconds);
  if (!Number.isSafeInteger(time)) return undefined;
  if (!Number.isSafeInteger(ret) || !Number.isInteger(errno) || errno < 0 || errno > 4095) return undefined;
  return {
    time,
    entered: direction === 'E',
    request: request.lo,
    argument,
    bytes: length > 0 ? bytes : undefined,
    ret,
    errno,
  };
}

function splitPair(pair: string): readonly [string, string] {
  const equals = pair.indexOf('=');
  return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
}

class IoctlHexRun implements ImportRun, LineReader {
  readonly #target: ImportTarget;
  readonly #source: number;
  readonly #splitter: LineSplitter;
  readonly #base: number;
  #time = 0;
  #entered: CallLine | undefined;
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
    this.#base = Number(target.header.clock.epochNs);
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
    const line = parseLine(text);
    if (line === undefined) {
      this.#malformed++;
      this.#target.health.add('malformed', 'line', this.#malformed <= MAX_PLACES ? this.#place(number) : undefined);
      return;
    }
    this.#begin();
    if ('fault' in line) this.#faultFile('read', line.fault);
    else if ('cookie' in line) this.#faultFile('write', responseBytes(line.cookie, line.code));
    else this.#call(line);
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
    this.#unreturned();
    return {
      lines: this.#splitter.count,
      events: this.#events,
      folded: this.#folded,
      blank: this.#blank,
      skipped: this.#skipped,
      notes: { fds: 'not recorded: the kind of file follows from the request' },
    };
  }

  /** A wrapper records from the program's first call on. */
  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const who = { time: 0, pid: ABSENT, tid: ABSENT };
    writeCall(this.#target.sink, this.#source, eventRecord(CALL_EVENT.start, 'start', who));
  }

  #call(line: CallLine): void {
    this.#time = Math.max(this.#time, line.time - this.#base);
    if (line.entered) {
      this.#unreturned();
      this.#entered = line;
      return;
    }
    const before = this.#entered;
    this.#entered = undefined;
    if (before === undefined) this.#write(line, undefined, 0);
    else if (before.request === line.request) {
      this.#folded++;
      this.#write(line, before, line.time - before.time);
    } else {
      this.#entered = before;
      this.#unreturned();
      this.#write(line, undefined, 0);
    }
  }

  /** A call that was entered and of whose return nothing is known. */
  #unreturned(): void {
    const line = this.#entered;
    if (line === undefined) return;
    this.#entered = undefined;
    this.#write({ ...line, bytes: undefined, ret: 0, errno: -1 }, line, 0);
  }

  #write(line: CallLine, before: CallLine | undefined, duration: number): void {
    this.#containerSeen ||= isContainerOnly(line.request);
    const record: IoctlRecord = {
      time: this.#time,
      pid: ABSENT,
      tid: ABSENT,
      fd: ABSENT,
      duration: Math.max(0, duration),
      ret: wordsOf(line.errno > 0 ? -line.errno : line.ret),
      errno: line.errno,
      kind: vfioFile(line.request, this.#containerSeen),
      memory: [],
      request: line.request,
      argument: line.argument,
      before: before?.bytes,
      after: line.bytes,
    };
    writeIoctl(this.#target.sink, this.#source, record);
    this.#events++;
  }

  #faultFile(name: string, data: Uint8Array): void {
    const who = { time: this.#time, pid: ABSENT, tid: ABSENT };
    const record = eventRecord(CALL_EVENT.syscall, name, who, data.length, data);
    writeCall(this.#target.sink, this.#source, { ...record, kind: FAULT_QUEUE_FILE });
    this.#events++;
  }

  #place(number: number): string {
    return `${this.#target.file}:${number}`;
  }
}

/** struct iommu_hwpt_page_response (include/uapi/linux/iommufd.h). */
function responseBytes(cookie: number, code: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, cookie, true);
  view.setUint32(4, code, true);
  return bytes;
}
