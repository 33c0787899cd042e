import { TOLD, callArguments } from '../../ftrace/rows/syscall-rows.ts';
import { SyscallNames } from '../../ftrace/syscall-names.ts';
import type { ByteCursor } from '../byte-cursor.ts';
import { ascii } from '../byte-cursor.ts';
import { ByteTable } from '../byte-table.ts';
import { eventParser } from './event-line.ts';
import type { EventLine, EventParser } from './event-line.ts';

/** System calls (include/trace/events/syscalls.h, kernel/trace/trace_syscalls.c). */

const NR = ascii('NR ');
const RETURNED = ascii(' = ');
const ARROW = ascii('-> ');
const OPEN = ascii(' (');
const COMMA = ascii(', ');
const COLON = ascii(': ');
const HEX_PREFIX = ascii('0x');
const ARGUMENTS = 6;

/** A text does not say what machine it is of; the notes say how its numbers were read. */
export const TEXT_MACHINE = 'x86_64';
const names = new SyscallNames(TEXT_MACHINE);

// sys_enter: NR 16 (4, 3b64, 0, 0, 39, 7ffe730b3d77)
function parseRawEnter({ cursor, out }: EventLine): boolean {
  if (!cursor.literal(NR) || !cursor.int()) return false;
  const number = cursor.lo;
  if (!cursor.literal(OPEN)) return false;
  const { lo, hi } = callArguments;
  for (let i = 0; i < ARGUMENTS; i++) {
    if ((i > 0 && !cursor.literal(COMMA)) || !cursor.hex()) return false;
    lo[i] = cursor.lo;
    hi[i] = cursor.hi;
  }
  out.syscalls.enter(out, names.of(number), TOLD.raw);
  return true;
}

// sys_exit: NR 16 = -14
function parseRawExit({ cursor, out }: EventLine): boolean {
  if (!cursor.literal(NR) || !cursor.int()) return false;
  const number = cursor.lo;
  if (!cursor.literal(RETURNED)) return false;
  const negative = cursor.pos < cursor.end && cursor.bytes[cursor.pos] === 0x2d;
  if (negative) cursor.pos++;
  if (!cursor.decimal() || !cursor.atBoundary()) return false;
  const { lo, hi } = cursor;
  if (negative) out.syscalls.exit(out, names.of(number), TOLD.raw, -lo | 0, lo === 0 ? -hi | 0 : ~hi);
  else out.syscalls.exit(out, names.of(number), TOLD.raw, lo, hi);
  return true;
}

/** `0x1f3a`, and `8` or `1f3a`: hexadecimal, with or without its prefix. */
function number(cursor: ByteCursor): boolean {
  const { pos } = cursor;
  if (!cursor.literal(HEX_PREFIX)) cursor.pos = pos;
  return cursor.hex();
}

/** `fd: 4, cmd: 0x3b64, arg: 0`; what stands behind a number (contents of strings) is skipped. */
function readArguments(cursor: ByteCursor): void {
  const { lo, hi } = callArguments;
  lo.fill(0);
  hi.fill(0);
  for (let i = 0; i < ARGUMENTS && cursor.find(COLON) && number(cursor); i++) {
    lo[i] = cursor.lo;
    hi[i] = cursor.hi;
  }
}

// sys_ioctl(fd: 4, cmd: 0x3b64, arg: 0)              (tracefs)
// sys_ioctl -> 0xfffffffffffffff2
function parseCall(line: EventLine, name: string): boolean {
  const { cursor } = line;
  if (cursor.pos < cursor.end && cursor.bytes[cursor.pos] === 0x28) return parseEnter(line, name);
  return cursor.literal(ARROW) && parseExit(line, name);
}

// sys_enter_ioctl:      fd: 0x00000004, cmd: 0x00003b64, arg: 0x00000000         (trace-cmd report, perf script)
function parseEnter({ cursor, out }: EventLine, name: string): boolean {
  readArguments(cursor);
  out.syscalls.enter(out, name, TOLD.named);
  return true;
}

// sys_exit_ioctl:       0x0
function parseExit({ cursor, out }: EventLine, name: string): boolean {
  if (!number(cursor) || !cursor.atBoundary()) return false;
  out.syscalls.exit(out, name, TOLD.named, cursor.lo, cursor.hi);
  return true;
}

export const RAW_SYSCALL_EVENTS: readonly EventParser[] = [
  eventParser('raw_syscalls', ['sys_enter'], parseRawEnter),
  eventParser('raw_syscalls', ['sys_exit'], parseRawExit),
];

const SYSTEM = 'syscalls:';
const PREFIXES = [
  { prefix: 'sys_enter_', parse: parseEnter },
  { prefix: 'sys_exit_', parse: parseExit },
  { prefix: 'sys_', parse: parseCall },
] as const;
const SYS = ascii('sys');
/** Names of different calls that are kept; Linux has fewer. */
const MAX_CALLS = 2048;

/** Finds what reads the events of single system calls, by their names. */
export class NamedCalls {
  readonly #table = new ByteTable(MAX_CALLS);
  readonly #calls: (EventParser | undefined)[] = [];

  find(bytes: Uint8Array, start: number, end: number): EventParser | undefined {
    if (end - start < 5 || end - start > 80) return undefined;
    for (let i = 0; i < SYS.length; i++) if (bytes[start + i] !== SYS[i]) return undefined;
    const id = this.#table.add(bytes, start, end);
    if (id < 0) return undefined;
    if (id >= this.#calls.length) this.#calls[id] = callOf(this.#table.text(id));
    return this.#calls[id];
  }
}

function callOf(text: string): EventParser | undefined {
  const event = text.startsWith(SYSTEM) ? text.slice(SYSTEM.length) : text;
  for (const { prefix, parse } of PREFIXES) {
    if (event.startsWith(prefix) && /^[a-z]\w*$/.test(event.slice(prefix.length))) {
      const name = event.slice(prefix.length);
      return { names: [`sys_${name}`], parse: (line) => parse(line, name) };
    }
  }
  return undefined;
}
