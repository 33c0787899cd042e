import { configRead } from '../../../replay/engine/config-spaces.ts';
import { StructView } from '../../../replay/model/iommufd/struct-view.ts';
import { CALL_EVENT, DIALECT, SEEN } from '../../../traces/schema.ts';
import type { BytesColumn } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import { decodeMappings, decodeUserMemory } from '../../../traces/user-memory.ts';
import { FAULT_QUEUE_FILE } from '../../../traces/ioctl-requests.ts';
import { PAGE_FAULT, memoryAddresses, structAddresses } from './call-structs.ts';
import type { AddressAt } from './call-structs.ts';
import { otherBytes } from './config-bytes.ts';
import type { ConfigBytes } from './config-bytes.ts';

/** A row's bytes; a view. */
export function bytesOf({ offsets, data }: BytesColumn, row: number): Uint8Array {
  return data.subarray(offsets[row] ?? 0, Math.max(offsets[row] ?? 0, offsets[row + 1] ?? 0));
}

export function address(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** Takes what a call has of addresses, one after the other. */
export interface CallVisitor {
  /** Of this struct or memory, at a byte. */
  at(bytes: Uint8Array, place: AddressAt): void;
  /** Numbers of a program, among them addresses that its stack had. */
  words(bytes: Uint8Array): void;
  /** Commands of SMMUv3, of 16 bytes each. */
  commands(bytes: Uint8Array): void;
  /** Bytes of which nobody knows what they are: `what` says of which call. */
  unknown(bytes: Uint8Array, what: string): void;
}

/** A process's memory in a call: pointers, and what is behind them. */
export interface CallParts {
  readonly segment: Segment;
  readonly row: number;
  readonly path: string;
  /** The bytes that are visited: of the same row, or of its copy. */
  readonly structs: readonly Uint8Array[];
  readonly memory: Uint8Array;
}

/** IOMMU_TEST_CMD: its size and operation stay also where nobody knows the operation. */
export const MOCK = 0x3ba0;
const MOCK_HEAD = 8;
/** VFIO_GROUP_GET_DEVICE_FD: its argument is a text that ends somewhere in what was recorded, in front of the program's own memory. */
const GET_DEVICE_FD = 0x3b6a;
/** A PCI function as sysfs writes it; other devices' names name the device. */
const PCI_NAME = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7](?:\0|$)/;

/** Visits what an ioctl's structs and pointers have. */
export function visitIoctl({ segment, row, path, structs, memory }: CallParts, visitor: CallVisitor): void {
  const { request, before } = segment.rows.ioctl.columns;
  const number = request[row]!;
  const known = bytesOf(before, row);
  for (const struct of structs) {
    if (number === GET_DEVICE_FD) {
      const [name = ''] = PCI_NAME.exec(Buffer.from(struct).toString('latin1')) ?? [];
      if (struct.length > name.length) visitor.unknown(struct.subarray(name.length), 'memory behind names of devices');
      continue;
    }
    // what the call was asked for says what is in it when it returns, too
    const places = structAddresses(number, path, known.length > 0 ? known : struct);
    const rest = number === MOCK ? struct.subarray(MOCK_HEAD) : struct;
    if (places === undefined) visitor.unknown(rest, `struct of ioctl 0x${(number >>> 0).toString(16)}`);
    else for (const place of places) visitor.at(struct, place);
  }
  for (const item of decodeUserMemory(memory)) {
    for (const bytes of new Set([item.before, item.after])) {
      if (!bytes || bytes.length === 0) continue;
      const places = memoryAddresses(number, known, item.field, bytes.length);
      if (places === undefined) visitor.unknown(bytes, `memory of ioctl 0x${(number >>> 0).toString(16)}`);
      else if (places === 'commands') visitor.commands(bytes);
      else if (places.length === 0 && item.field === 'data_uptr') visitor.words(bytes);
      else for (const place of places) visitor.at(bytes, place);
    }
  }
}

/** Reads and writes whose bytes are numbers of the kernel's. */
const KERNEL_DATA: ReadonlySet<string> = new Set(['pipe', 'pipe2', 'socketpair', 'wait4', 'waitpid']);
const KERNEL_FILES = /^anon_inode:\[(iommufd-viommu-event|eventfd)/;
/** Eight bytes for each page: a place in it is an address. */
export const PAGEMAP: RegExp = /^\/proc\/(self|\d+)\/pagemap$/;
/** A number as text, as /proc is told: it names nobody. */
const DIGITS = /^\d{1,10}\n?$/;

/** Visits what a system call read or wrote. */
export function visitData(
  segment: Segment,
  row: number,
  strings: readonly string[],
  data: Uint8Array,
  config: ConfigBytes,
  visitor: CallVisitor,
): void {
  if (data.length === 0) return;
  const { columns } = segment.rows.call;
  const name = strings[columns.name[row]!] ?? '';
  const path = strings[columns.path[row]!] ?? '';
  if (columns.event[row] === CALL_EVENT.maps) return;
  const read = configRead(segment, row, strings);
  if (read !== undefined) {
    for (const bytes of otherBytes(read, data, config)) visitor.unknown(bytes, 'config space of devices');
  } else if (path === FAULT_QUEUE_FILE) {
    // what is written are responses, without addresses
    const end = name === 'read' ? data.length : 0;
    // sources may cut what was read behind any byte
    for (let at = PAGE_FAULT.address; at + 8 <= end; at += PAGE_FAULT.bytes)
      visitor.at(data, { offset: at, kind: 'iova' });
  } else if (PAGEMAP.test(path)) {
    for (let at = 0; at + 8 <= data.length; at += 8) visitor.at(data, { offset: at, kind: 'page' });
  } else if (!KERNEL_FILES.test(path) && !KERNEL_DATA.has(name) && !isNumber(data)) {
    visitor.unknown(data, `data of ${name}`);
  }
}

function isNumber(data: Uint8Array): boolean {
  return data.length <= 11 && DIGITS.test(Buffer.from(data).toString('latin1'));
}

/** Arguments of system calls that are lengths, offsets and flags; all others that look like addresses are some. */
const LENGTHS: { readonly [name: string]: readonly number[] } = {
  mmap: [1, 5],
  munmap: [1],
  mremap: [1, 2],
  mprotect: [1],
  madvise: [1],
  lseek: [1],
  pread64: [2, 3],
  pwrite64: [2, 3],
  ftruncate: [1],
};
export const ARGUMENTS = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5'] as const;
/** Calls that return an address. */
export const RETURNS_ADDRESS: ReadonlySet<string> = new Set(['mmap', 'mremap', 'brk']);

export function isAddressArgument(name: string, index: number): boolean {
  return !(LENGTHS[name] ?? []).includes(index);
}

/** What pointers of system calls point to that is numbers alone. */
export const KNOWN_MEMORY: ReadonlySet<string> = new Set([
  'poll fds',
  'ppoll fds',
  'capset data',
  'prlimit64 old_rlim',
  'prlimit64 new_rlim',
]);

/** Page numbers of a pagemap entry: 55 bits, where bit 63 says that the page is there (Documentation/admin-guide/mm/pagemap.rst). */
export function pageOfEntry(entry: bigint): bigint | undefined {
  const page = entry & ((1n << 55n) - 1n);
  return entry >> 63n === 1n && page !== 0n ? page : undefined;
}

/** Calls that return a process or thread, and those that are given some. */
export const RETURNS_PID: ReadonlySet<string> = new Set(
  'clone clone3 fork vfork getpid gettid getppid getpgid setsid set_tid_address wait4 waitpid'.split(' '),
);
export const PID_ARGUMENTS: { readonly [name: string]: readonly number[] } = {
  kill: [0],
  tkill: [0],
  tgkill: [0, 1],
  pidfd_open: [0],
  setpgid: [0, 1],
  getpgid: [0],
  wait4: [0],
  waitpid: [0],
};

/** All addresses of user memory that a row of `ioctl` or `call` has beside its structs. */
export function* userAddresses(
  segment: Segment,
  stream: 'ioctl' | 'call',
  row: number,
  name: string,
): Generator<bigint> {
  const { ioctl, call } = segment.rows;
  if (stream === 'ioctl') {
    const { argLo, argHi, seen } = ioctl.columns;
    if ((seen[row]! & SEEN.argument) !== 0) yield address(argLo[row]!, argHi[row]!);
  } else {
    const { columns } = call;
    for (const [i, column] of ARGUMENTS.entries()) {
      if (isAddressArgument(name, i)) yield address(columns[`${column}Lo`][row]!, columns[`${column}Hi`][row]!);
    }
    if (RETURNS_ADDRESS.has(name)) yield address(columns.retLo[row]!, columns.retHi[row]!);
    if (columns.event[row] === CALL_EVENT.maps) {
      for (const { startLo, startHi } of decodeMappings(bytesOf(columns.data, row))) yield address(startLo, startHi);
    }
  }
  const { memory } = stream === 'ioctl' ? ioctl.columns : call.columns;
  for (const { addressLo, addressHi } of decodeUserMemory(bytesOf(memory, row))) yield address(addressLo, addressHi);
}

/** Words of a command of SMMUv3 at a byte, for those that take eight. */
export function commandWords(bytes: Uint8Array, at: number, words: Int32Array): number {
  const view = new StructView(bytes);
  words.fill(0);
  for (let i = 0; i < 4; i++) words[i] = view.i32(at + i * 4);
  return DIALECT.smmuv3;
}
