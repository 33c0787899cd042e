import { CALL_EVENT } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import { encodeMappings } from '../../../traces/user-memory.ts';
import type { UserMapping, UserMemory } from '../../../traces/user-memory.ts';
import { eventRecord } from './call-rows.ts';
import type { CallRecord, CallResult, IoctlRecord } from './call-rows.ts';
import { fileKind, keepsContents } from './file-kind.ts';
import { BadField } from './json-fields.ts';
import type { JsonFields } from './json-fields.ts';
import { parseProcMapsLine } from './proc-maps.ts';
import { ZERO, wordsOf } from './words.ts';
import type { Words } from './words.ts';

/** Reads lines of `docs/sources/ioctl-ndjson.md`. All functions throw `BadField`. */

const MAX_MEMORY_ITEMS = 64;
const MAX_MAPPINGS = 65_536;
const NAME = /^\w{1,32}$/;
/** Errnos that a kernel returns lie in the last page of the address space (include/linux/err.h). */
const MAX_ERRNO = 4095;
/** Calls whose `path` is a name and no path. */
const KIND_OF_CALL: ReadonlyMap<string, string> = new Map([['memfd_create', '/memfd:']]);

export type NdjsonRecord = { readonly ioctl: IoctlRecord } | { readonly call: CallRecord };

/** When the call of a line returned; a line of `maps` has no time of its own. */
export function lineTime(fields: JsonFields): number | undefined {
  return fields.get('t1') === undefined ? undefined : fields.integer('t1');
}

export function readSystemCall(fields: JsonFields, time: number): NdjsonRecord {
  const name = fields.text('sys');
  if (!NAME.test(name)) throw new BadField('sys');
  const args = fields.wordsList('args', 6);
  const pid = fields.int32('pid');
  const result = readResult(fields, time, pid);
  if (name === 'ioctl') {
    const pointer = fields.get('argp') === undefined ? args[2] : fields.words('argp');
    return {
      ioctl: {
        ...result,
        fd: fields.get('fd') === undefined ? fdOf(args) : fields.int32('fd'),
        request: fields.get('req') === undefined ? requestOf(args) : fields.words('req').lo,
        argument: pointer,
        before: fields.bytes('in'),
        after: fields.bytes('out'),
      },
    };
  }
  const path = fields.textOr('path', '');
  const kind = path === '' ? result.kind : (KIND_OF_CALL.get(name) ?? fileKind(path, pid));
  return {
    call: { ...result, kind, event: CALL_EVENT.syscall, name, args, data: readData(fields, kind) },
  };
}

function readResult(fields: JsonFields, time: number, pid: number): CallResult {
  const { ret, errno } = readOutcome(fields);
  const begun = fields.integerOr('t0', fields.integerOr('t1', 0));
  return {
    time,
    pid,
    tid: fields.get('tid') === undefined ? pid : fields.int32('tid'),
    fd: fields.get('fd') === undefined ? ABSENT : fields.int32('fd'),
    duration: Math.max(0, fields.integerOr('t1', begun) - begun),
    ret,
    errno,
    kind: fileKind(fields.textOr('fdlink', ''), pid),
    memory: [...fields.objects('mem', MAX_MEMORY_ITEMS).map(readMemory), ...readLimits(fields)],
  };
}

/** `ret` is the kernel's own (-22) or the library's (-1 with `errno` 22); null where the call never returned. */
function readOutcome(fields: JsonFields): { ret: Words; errno: number } {
  const value = fields.get('ret');
  if (value === undefined || value === null) return { ret: ZERO, errno: -1 };
  const ret = fields.words('ret');
  const given = fields.integerOr('errno', 0);
  if (given < 0 || given > MAX_ERRNO) throw new BadField('errno');
  if (given > 0) return { ret: wordsOf(-given), errno: given };
  const negative = ret.hi === -1 && ret.lo < 0 && ret.lo >= -MAX_ERRNO;
  return { ret, errno: negative ? -ret.lo : 0 };
}

function requestOf(args: readonly Words[]): number {
  if (args[1] === undefined) throw new BadField('req');
  return args[1].lo;
}

function fdOf(args: readonly Words[]): number {
  if (args[0] === undefined) throw new BadField('fd');
  return args[0].lo;
}

function readMemory(item: JsonFields): UserMemory {
  const address = item.words('addr');
  const length = item.words('len');
  const before = item.bytes('in') ?? null;
  const after = item.get('same') === true ? before : item.bytes('out');
  return {
    field: item.text('field').slice(0, 64),
    addressLo: address.lo,
    addressHi: address.hi,
    lengthLo: length.lo,
    lengthHi: length.hi,
    before,
    after,
  };
}

/** Limits that prlimit64(2) replaced (`new_rlim`) and told of (`old_rlim`), as memory behind its third and fourth argument. */
function readLimits(fields: JsonFields): UserMemory[] {
  const limits: UserMemory[] = [];
  for (const [field, position] of [
    ['new_rlim', 2],
    ['old_rlim', 3],
  ] as const) {
    const bytes = fields.bytes(field);
    if (!bytes) continue;
    const address = fields.wordsList('args', 6)[position] ?? ZERO;
    const [before, after] = field === 'new_rlim' ? [bytes, bytes] : [null, bytes];
    const where = { addressLo: address.lo, addressHi: address.hi, lengthLo: bytes.length, lengthHi: 0 };
    limits.push({ field, ...where, before, after });
  }
  return limits;
}

function readData(fields: JsonFields, kind: string | undefined): Uint8Array | undefined {
  const own = fields.bytes('fds') ?? fields.bytes('wstatus');
  if (own) return own;
  const data = fields.bytes('data');
  return data && keepsContents(kind) ? data : undefined;
}

/** `fork`, `exec`, `exit`, `signal`, `maps`; undefined for an event of another name. */
export function readProcessEvent(fields: JsonFields, name: string, time: number): CallRecord | undefined {
  const value = eventValue(fields, name);
  if (value === undefined) return undefined;
  const pid = fields.int32('pid');
  const who = { time, pid, tid: fields.get('tid') === undefined ? pid : fields.int32('tid') };
  const data = name === 'maps' ? encodeMappings(readMappings(fields)) : undefined;
  const kind = name === 'fork' ? fields.textOr('kind', name) : name;
  if (!NAME.test(kind)) throw new BadField('kind');
  return eventRecord(value.event, kind, who, value.ret, data);
}

function eventValue(fields: JsonFields, name: string): { event: number; ret: number } | undefined {
  switch (name) {
    case 'fork':
      return { event: CALL_EVENT.fork, ret: fields.int32('child') };
    case 'exec':
      return { event: CALL_EVENT.exec, ret: 0 };
    case 'exit':
      return { event: CALL_EVENT.exit, ret: fields.integerOr('status', 0) };
    case 'signal':
      return { event: CALL_EVENT.signal, ret: fields.integerOr('sig', 0) };
    case 'maps':
      return { event: CALL_EVENT.maps, ret: 0 };
    default:
      return undefined;
  }
}

function readMappings(fields: JsonFields): UserMapping[] {
  return fields.list('maps', MAX_MAPPINGS).map((line) => {
    const mapping = typeof line === 'string' ? parseProcMapsLine(line) : undefined;
    if (mapping === undefined) throw new BadField('maps');
    return mapping;
  });
}
