import type { FieldReader, RecordConverter } from '../event-record.ts';
import { readWord } from '../record-words.ts';
import { TOLD, callArguments } from '../rows/syscall-rows.ts';
import type { SyscallNames } from '../syscall-names.ts';
import { eventConverter } from './event-converter.ts';
import type { EventConverter } from './event-converter.ts';

/** System calls (include/trace/events/syscalls.h, kernel/trace/trace_syscalls.c). */

const ARGUMENTS = 6;

function compileRawEnter(fields: FieldReader, names: SyscallNames): RecordConverter {
  const id = fields.int('id');
  // Without a reader per word: of the events of a kernel these may come by the million a second.
  const first = fields.longsWord('args', ARGUMENTS);
  const { swapped } = fields;
  const low = first + (fields.littleEndian ? 0 : 1);
  const high = first + (fields.littleEndian ? 1 : 0);
  return (record, out) => {
    const { lo, hi } = callArguments;
    const { words } = record;
    const from = record.at >> 2;
    for (let i = 0; i < ARGUMENTS; i++) {
      lo[i] = readWord(words, from + low + 2 * i, swapped);
      hi[i] = readWord(words, from + high + 2 * i, swapped);
    }
    out.syscalls.enter(out, names.of(id(record)), TOLD.raw);
    return true;
  };
}

function compileRawExit(fields: FieldReader, names: SyscallNames): RecordConverter {
  const id = fields.int('id');
  const ret = fields.long('ret');
  return (record, out) => {
    out.syscalls.exit(out, names.of(id(record)), TOLD.raw, ret.lo(record), ret.hi(record));
    return true;
  };
}

/** The arguments are the fields behind the number, 8 bytes each; what a kernel appends to them (contents of strings) is not one. */
function compileEnter(fields: FieldReader, call: string): RecordConverter {
  const args = fields.names
    .filter((name) => name !== '__syscall_nr' && name !== 'nr' && fields.isValue(name))
    .slice(0, ARGUMENTS)
    .map((name) => fields.long(name));
  return (record, out) => {
    const { lo, hi } = callArguments;
    lo.fill(0);
    hi.fill(0);
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]!;
      lo[i] = arg.lo(record);
      hi[i] = arg.hi(record);
    }
    out.syscalls.enter(out, call, TOLD.named);
    return true;
  };
}

function compileExit(fields: FieldReader, call: string): RecordConverter {
  const ret = fields.long('ret');
  return (record, out) => {
    out.syscalls.exit(out, call, TOLD.named, ret.lo(record), ret.hi(record));
    return true;
  };
}

export function rawSyscallConverters(names: SyscallNames): readonly EventConverter[] {
  return [
    eventConverter('raw_syscalls', 'sys_enter', (fields) => compileRawEnter(fields, names)),
    eventConverter('raw_syscalls', 'sys_exit', (fields) => compileRawExit(fields, names)),
  ];
}

const ENTER = 'sys_enter_';
const EXIT = 'sys_exit_';

/** For `syscalls:sys_enter_NAME` and `sys_exit_NAME` of every name. */
export function syscallConverter(system: string, name: string): EventConverter | undefined {
  if (system !== 'syscalls') return undefined;
  if (name.startsWith(ENTER)) {
    return eventConverter(system, name, (fields) => compileEnter(fields, name.slice(ENTER.length)));
  }
  if (name.startsWith(EXIT)) {
    return eventConverter(system, name, (fields) => compileExit(fields, name.slice(EXIT.length)));
  }
  return undefined;
}
