import { errnoNumber } from '../../../traces/errno-names.ts';
import { ioctlNumber } from '../../../traces/ioctl-requests.ts';
import { SIGNALS } from './linux-names.ts';
import { parseNumber, splitArguments } from './strace-values.ts';
import { ZERO, wordsOf } from './words.ts';
import type { Words } from './words.ts';

/** Seconds and nanoseconds as a line states them; what they count from depends on strace's options. */
export interface StraceTime {
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Digits behind the point. */
  readonly digits: number;
  /** `clock`: `06:07:38.498169` (-t, -tt); `seconds`: `1795326136.320458` (-ttt), or since the line before (-r). */
  readonly form: 'clock' | 'seconds';
}

export interface StraceCall {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly string[];
  readonly ret: Words;
  /** -1: it never returned. */
  readonly errno: number;
  /** What stands behind the `=`. */
  readonly result: string;
  /** ns; undefined without -T. */
  readonly duration: number | undefined;
}

export type StraceContent =
  | StraceCall
  | { readonly kind: 'unfinished'; readonly name: string; readonly text: string }
  | { readonly kind: 'resumed'; readonly name: string; readonly text: string }
  | { readonly kind: 'exit'; readonly status: number }
  | { readonly kind: 'signal'; readonly signal: number }
  | { readonly kind: 'notice' };

export interface StraceLine {
  /** Thread; undefined where strace followed only one. */
  readonly tid: number | undefined;
  readonly time: StraceTime | undefined;
  /** Undefined for a text that is no line of strace. */
  readonly content: StraceContent | undefined;
}

/** `224   1795326136.320458 `, `[pid   224] 06:07:38.498169 `, `06:07:38 `, or nothing. */
const PREFIX =
  /^(?:\[pid +(\d{1,10})\] +|(\d{1,10}) +)?(?: *(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? +| *(\d{1,12})\.(\d{1,9}) +)?/;
const CALL = /^([a-z_]\w{0,31})\(/;
const RESUMED = /^<\.\.\. ([a-z_]\w{0,31}) resumed>[ ,]*/;
const RESULT = /^ *= (.*?)(?: <(\d{1,9})\.(\d{6,9})>)?$/s;
const EXITED = /^\+\+\+ (?:exited with (\d{1,3})|killed by (SIG\w+)(?: \(core dumped\))?) \+\+\+$/;
const SIGNAL = /^--- (?:stopped by )?(SIG\w+)(?: \{.*\})? ---$/;
const NOTICE = /^strace: Process \d+ (?:attached|detached)/;
const UNFINISHED = ' <unfinished ...>';

export function parseStraceLine(line: string): StraceLine {
  if (NOTICE.test(line)) return { tid: undefined, time: undefined, content: { kind: 'notice' } };
  const prefix = PREFIX.exec(line);
  const [all = '', inBrackets, bare, hours, minutes, seconds, part, whole, fraction] = prefix ?? [];
  const tid = inBrackets ?? bare;
  let time: StraceTime | undefined;
  if (hours !== undefined) {
    const sum = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    time = { seconds: sum, ...fractionOf(part ?? ''), form: 'clock' };
  } else if (whole !== undefined) time = { seconds: Number(whole), ...fractionOf(fraction ?? ''), form: 'seconds' };
  return { tid: tid === undefined ? undefined : Number(tid), time, content: parseContent(line.slice(all.length)) };
}

function fractionOf(digits: string): { nanoseconds: number; digits: number } {
  return { nanoseconds: Number(digits.padEnd(9, '0')), digits: digits.length };
}

function parseContent(text: string): StraceContent | undefined {
  const exited = EXITED.exec(text);
  if (exited !== null) {
    return {
      kind: 'exit',
      status: exited[1] === undefined ? 128 + (SIGNALS.get(exited[2] ?? '') ?? 0) : Number(exited[1]),
    };
  }
  const signal = SIGNAL.exec(text);
  if (signal !== null) return { kind: 'signal', signal: SIGNALS.get(signal[1] ?? '') ?? 0 };
  const resumed = RESUMED.exec(text);
  if (resumed !== null) return { kind: 'resumed', name: resumed[1] ?? '', text: text.slice(resumed[0].length) };
  const call = CALL.exec(text);
  if (call === null) return undefined;
  const name = call[1] ?? '';
  if (text.endsWith(UNFINISHED)) {
    // Older versions print the comma behind the last argument that they know.
    const begun = text.slice(0, -UNFINISHED.length).trimEnd();
    return { kind: 'unfinished', name, text: begun.endsWith(',') ? begun.slice(0, -1) : begun };
  }
  return parseStraceCall(name, text);
}

/** `ioctl(3, 0x3b81 /* IOMMU_IOAS_ALLOC *\/, 0x7ffe8f466be4) = 0 <0.008688>`; undefined for any other text. */
export function parseStraceCall(name: string, text: string): StraceCall | undefined {
  const list = splitArguments(text, name.length);
  if (list === undefined) return undefined;
  const match = RESULT.exec(text.slice(list.end));
  if (match === null) return undefined;
  const [, result = '', seconds, fraction] = match;
  const outcome = parseResult(result);
  if (outcome === undefined) return undefined;
  const duration = seconds === undefined ? undefined : Number(seconds) * 1e9 + fractionOf(fraction ?? '').nanoseconds;
  return { kind: 'call', name, args: list.args, ...outcome, result, duration };
}

/** `0`, `0x7f2330e00000`, `3</dev/iommu>`, `-1 EINVAL (Invalid argument)`, `1 ([{fd=5, ...}])`, `?`. */
function parseResult(result: string): { ret: Words; errno: number } | undefined {
  if (result.startsWith('?')) return { ret: ZERO, errno: -1 };
  const failed = /^-1 (E[A-Z0-9]{1,20})\b/.exec(result);
  if (failed !== null) {
    const errno = errnoNumber(failed[1] ?? '');
    return errno === undefined ? undefined : { ret: wordsOf(-errno), errno };
  }
  const ret = parseNumber(/^[^ ]*/.exec(result)?.[0] ?? '');
  return ret === undefined ? undefined : { ret, errno: 0 };
}

/**
 * Request of an ioctl: `0x3b85 /* IOMMU_IOAS_MAP *\/` (-X raw, verbose), `IOMMU_IOAS_MAP`, `A or B` (strace 7), or
 * `_IOC(_IOC_NONE, 0x3b, 0x85, 0)` (strace 6, which does not know IOMMUFD). Undefined for other names.
 */
export function parseRequest(argument: string): number | undefined {
  const fields = /^_IOC\(([A-Z_|]+), (0x[0-9a-f]{1,2}), (0x[0-9a-f]{1,2}|\d{1,3}), (0x[0-9a-f]{1,4}|\d{1,5})\)/.exec(
    argument,
  );
  if (fields !== null) {
    const [, direction = '', type, number, size] = fields;
    const bits = (direction.includes('_IOC_WRITE') ? 1 : 0) | (direction.includes('_IOC_READ') ? 2 : 0);
    return (bits << 30) | (Number(size) << 16) | (Number(type) << 8) | Number(number);
  }
  const number = parseNumber(argument);
  if (number !== undefined) return number.lo;
  for (const name of argument.split(' or ')) {
    const request = ioctlNumber(name.trim());
    if (request !== undefined) return request;
  }
  return undefined;
}

/** Whether `0x3b85 /* IOMMU_IOAS_MAP *\/` names another request than its number; names that are not known say nothing. */
export function namesAnotherRequest(argument: string, request: number): boolean {
  const comment = /\/\* ([A-Z_][A-Z0-9_ or]*) \*\//.exec(argument)?.[1];
  const numbers = (comment ?? '').split(' or ').map((name) => ioctlNumber(name.trim()));
  return numbers.some((number) => number !== undefined) && !numbers.includes(request);
}
