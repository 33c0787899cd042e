import { AddressSpace } from './address-space.ts';
import { Backing, PAGE_SIZE } from './backing.ts';
import { openIommufd } from './iommufd-file.ts';
import type { IommufdFile, OpenFile } from './process.ts';
import { Process } from './process.ts';
import type { MemoryFile } from './file-pages.ts';
import type { Machine } from './machine.ts';
import { VfioDevice } from './vfio/device.ts';
import { openVfio } from './vfio/open-vfio.ts';

/** A system call that returned, as a recording tells of it. Addresses and lengths are below 2^53. */
export interface SystemCall {
  readonly name: string;
  readonly pid: number;
  readonly fd: number;
  readonly args: readonly number[];
  /** Negative: an errno. */
  readonly ret: number;
  /** Kind of file: of `fd`, or what was opened. */
  readonly path: string | undefined;
  readonly data: Uint8Array | undefined;
  /** What its pointers point to, as far as it was recorded: as the call left it. */
  readonly memory?: readonly {
    readonly field: string;
    readonly address: number;
    readonly bytes: Uint8Array | undefined;
  }[];
}

const MAP = { shared: 1, private: 2, type: 3, anonymous: 0x20, hugetlb: 0x4_0000 } as const;
const HUGE_SHIFT = 26;
const DEFAULT_HUGE_PAGE = 21;
const CLONE = { vm: 0x100, thread: 0x1_0000 } as const;
const MFD_HUGETLB = 4;
const O_CLOEXEC = 0o2000000;
const MFD_CLOEXEC = 1;
const FCNTL = { dup: 0, setFlags: 2, dupCloexec: 1030 } as const;
const MADV = { dontNeed: 4, free: 8, remove: 9, dontNeedLocked: 24 } as const;
const MREMAP_DONTUNMAP = 4;
const FRAME_BITS = 2 ** 55;

/** Calls that give a new fd of a kind that the model knows nothing of. */
const OPENS = new Set([
  'open',
  'creat',
  'openat2',
  'eventfd',
  'eventfd2',
  'socket',
  'accept',
  'accept4',
  'pidfd_open',
  'epoll_create',
  'epoll_create1',
  'timerfd_create',
  'signalfd',
  'signalfd4',
  'inotify_init',
  'inotify_init1',
  'userfaultfd',
  'perf_event_open',
  'memfd_secret',
  'io_uring_setup',
  'bpf',
  'fsopen',
  'fsmount',
]);

export function newFile(kind: OpenFile['kind'], release: () => void = () => undefined): OpenFile {
  return { kind, refs: 0, release };
}

/** The process of a pid; one that nobody saw begin has unknown fds and memory. */
export function processOf(machine: Machine, pid: number): Process {
  let process = machine.processes.get(pid);
  if (process === undefined) {
    process = new Process(pid, new AddressSpace(), false);
    process.memlock = machine.memlock;
    process.user = machine.user(0);
    machine.processes.set(pid, process);
  }
  return process;
}

export function fork(machine: Machine, parent: number, child: number): void {
  const process = processOf(machine, parent);
  const made = new Process(child, process.memory.fork(), process.fdsKnown);
  made.ipcLock = process.ipcLock;
  made.sysResource = process.sysResource;
  made.memlock = process.memlock;
  made.user = process.user;
  made.brk = process.brk;
  for (const [fd, file] of process.fds) made.installAt(fd, file);
  for (const fd of process.cloexec) made.cloexec.add(fd);
  machine.processes.set(child, made);
}

export function exec(machine: Machine, pid: number): void {
  const process = processOf(machine, pid);
  for (const fd of process.cloexec) process.close(fd);
  process.cloexec.clear();
  const old = process.memory;
  process.memory = new AddressSpace();
  leaveMemory(machine, old);
  machine.unmapped();
  process.brk = undefined;
}

/** The process is gone with its last thread. */
export function exit(machine: Machine, pid: number): void {
  const process = machine.processes.get(pid);
  if (process === undefined) return;
  // Its memory goes before its files (kernel/exit.c, do_exit).
  machine.sva.exit(pid);
  process.closeAll();
  machine.processes.delete(pid);
  leaveMemory(machine, process.memory);
  machine.unmapped();
}

/** User memory goes with the last process that has it. */
function leaveMemory(machine: Machine, memory: AddressSpace): void {
  for (const process of machine.processes.values()) if (process.memory === memory) return;
  memory.gone = true;
}

/** What a call other than ioctl does to the fds and the memory of its process. Failed calls do nothing. */
export function applySystemCall(machine: Machine, call: SystemCall): void {
  const { name, ret, pid } = call;
  if (ret < 0 && ret > -4096) return;
  const process = processOf(machine, pid);
  if (OPENS.has(name)) {
    installNew(process, ret, newFile('other'));
    return;
  }
  EFFECTS[name]?.(machine, process, call);
  if (machine.mappedContexts.size > 0) machine.unmapped();
}

type Effect = (machine: Machine, process: Process, call: SystemCall) => void;

/** A new fd is the lowest free one: every number below it was taken, whether anybody saw by what or not. */
function installNew(process: Process, fd: number, file: OpenFile, cloexec = false): void {
  for (let below = 0; below < fd; below++) if (!process.fds.has(below)) process.installAt(below, newFile('other'));
  process.installAt(fd, file);
  process.fdsKnown = true;
  if (cloexec) process.cloexec.add(fd);
  else process.cloexec.delete(fd);
}

function roundUp(length: number): number {
  return Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
}

const arg = (call: SystemCall, index: number): number => call.args[index] ?? 0;

const openat: Effect = (machine, process, call) => {
  const isOpenat = call.name === 'openat';
  const cloexec = (arg(call, isOpenat ? 2 : 1) & O_CLOEXEC) !== 0;
  const file = call.path === '/dev/iommu' ? openIommufd(machine) : (openVfio(machine, call.path) ?? newFile('other'));
  installNew(process, call.ret, file, cloexec);
};

const memfd: Effect = (_machine, process, call) => {
  const flags = arg(call, 1);
  const huge = (flags & MFD_HUGETLB) === 0 ? 0 : flags >>> HUGE_SHIFT || DEFAULT_HUGE_PAGE;
  const backing = new Backing(0, huge);
  backing.zeroed = true;
  const file: MemoryFile = { kind: 'memfd', refs: 0, backing, release: () => undefined };
  installNew(process, call.ret, file, (flags & MFD_CLOEXEC) !== 0);
};

const mmap: Effect = (_machine, process, call) => {
  const [, length = 0, prot = 0, flags = 0, , offset = 0] = call.args;
  const fd = arg(call, 4) | 0;
  const shared = (flags & MAP.type) !== MAP.private;
  const anonymous = (flags & MAP.anonymous) !== 0;
  const file = anonymous ? undefined : process.fds.get(fd);
  let backing: Backing;
  let page = 0;
  if (shared && file !== undefined && 'backing' in file) {
    backing = file.backing as Backing;
    page = Math.floor(offset / PAGE_SIZE);
  } else if (shared && file?.kind === 'iommufd') {
    const region = (file as IommufdFile).context.mmapRegions.map(offset, roundUp(length), prot, shared);
    backing = typeof region === 'number' ? new Backing() : region;
  } else {
    const huge = anonymous && (flags & MAP.hugetlb) !== 0 ? flags >>> HUGE_SHIFT || DEFAULT_HUGE_PAGE : 0;
    backing = new Backing(undefined, huge);
    backing.zeroed = anonymous;
    if (file?.kind === 'vfioDevice') backing.deviceMemory = true;
  }
  const size =
    backing.hugeShift === 0 ? roundUp(length) : Math.ceil(length / 2 ** backing.hugeShift) * 2 ** backing.hugeShift;
  process.memory.map({ start: call.ret, end: call.ret + size, prot: prot & 7, shared, backing, page });
};

const brk: Effect = (_machine, process, { ret }) => {
  const old = process.brk;
  process.brk = ret;
  if (old === undefined) return;
  const from = roundUp(old);
  const to = roundUp(ret);
  if (to > from) {
    const backing = new Backing();
    process.memory.map({ start: from, end: to, prot: 3, shared: false, backing, page: 0 });
  } else if (to < from) {
    process.memory.unmap(to, from - to);
  }
};

const clone: Effect = (machine, process, call) => {
  const child = machine.processes.get(call.ret);
  if (child === undefined || child === process) return;
  const flags = arg(call, 0);
  if ((flags & CLONE.thread) !== 0) exit(machine, call.ret);
  else if ((flags & CLONE.vm) !== 0) child.memory = process.memory;
};

function duplicate(process: Process, from: number, to: number, lowest: boolean, cloexec: boolean): void {
  const file = process.fds.get(from) ?? newFile('other');
  if (from === to) return;
  if (lowest) installNew(process, to, file, cloexec);
  else process.installAt(to, file);
  if (cloexec) process.cloexec.add(to);
  else process.cloexec.delete(to);
}

const fcntl: Effect = (_machine, process, call) => {
  const command = arg(call, 1);
  if (command === FCNTL.dup || command === FCNTL.dupCloexec)
    duplicate(process, call.fd, call.ret, false, command === FCNTL.dupCloexec);
  else if (command === FCNTL.setFlags) {
    if ((arg(call, 2) & 1) !== 0) process.cloexec.add(call.fd);
    else process.cloexec.delete(call.fd);
  }
};

/** /proc/PID/pagemap: one u64 a page, the frame number in bits 54:0, present in bit 63. */
const pagemap: Effect = (_machine, process, call) => {
  if (call.path !== '/proc/self/pagemap' || call.data === undefined || call.name !== 'pread64') return;
  const first = arg(call, 3) / 8;
  const view = new DataView(call.data.buffer, call.data.byteOffset, call.data.byteLength);
  for (let i = 0; i * 8 + 8 <= call.data.length; i++) {
    const high = view.getUint32(i * 8 + 4, true);
    if (high < 0x8000_0000) continue;
    const frame = ((high & 0x7f_ffff) * 2 ** 32 + view.getUint32(i * 8, true)) % FRAME_BITS;
    const address = (first + i) * PAGE_SIZE;
    const vma = process.memory.find(address);
    if (vma === undefined) continue;
    vma.backing.frames ??= new Map();
    vma.backing.frames.set(vma.page + (address - vma.start) / PAGE_SIZE, frame);
  }
};

const capset: Effect = (_machine, process, call) => {
  const effective =
    call.data === undefined || call.data.length < 4
      ? undefined
      : new DataView(call.data.buffer, call.data.byteOffset).getUint32(0, true);
  if (effective === undefined) return;
  process.ipcLock = (effective & (1 << 14)) !== 0;
  process.sysResource = (effective & (1 << 24)) !== 0;
};

const RLIMIT_MEMLOCK = 8;

/** struct rlimit: u64 soft limit, u64 hard limit; all ones: no limit. */
function softLimit(bytes: Uint8Array | undefined): number | undefined {
  if (bytes === undefined || bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [low, high] = [view.getUint32(0, true), view.getUint32(4, true)];
  return low === 0xffff_ffff && high === 0xffff_ffff ? Infinity : high * 2 ** 32 + low;
}

/** What a call's pointer pointed to, by the address that it was given. */
function pointee({ memory }: SystemCall, address: number): Uint8Array | undefined {
  return address === 0 ? undefined : memory?.find((item) => item.address === address)?.bytes;
}

/** prlimit64(pid, resource, new, old): the new limit, else the one that is told of. */
const prlimit: Effect = (machine, process, call) => {
  const [pid = 0, resource, newAddress = 0, oldAddress = 0] = call.args;
  const target = pid === 0 ? process : machine.processes.get(pid);
  if (target === undefined || resource !== RLIMIT_MEMLOCK) return;
  const limit = softLimit(pointee(call, newAddress === 0 ? oldAddress : newAddress));
  // A limit that was set and not recorded is no longer known.
  if (limit !== undefined || newAddress !== 0) target.memlock = limit;
};

const rlimit: Effect = (_machine, process, call) => {
  if (arg(call, 0) !== RLIMIT_MEMLOCK) return;
  const limit = softLimit(pointee(call, arg(call, 1)) ?? call.data);
  if (limit !== undefined || call.name === 'setrlimit') process.memlock = limit;
};

const UNCHANGED = 0xffff_ffff;

/** setuid(uid), setreuid(real, effective), setresuid(real, effective, saved): away from root, capabilities go. */
const setUser: Effect = (machine, process, call) => {
  const real = arg(call, 0) % 2 ** 32;
  const effective = call.name === 'setuid' ? real : arg(call, 1) % 2 ** 32;
  if (real !== UNCHANGED) process.user = machine.user(real);
  if (effective === 0 || effective === UNCHANGED) return;
  process.ipcLock = false;
  process.sysResource = false;
};

const EFFECTS: { readonly [name: string]: Effect } = {
  open: openat,
  openat,
  memfd_create: memfd,
  ftruncate: (_machine, process, call) => {
    const file = process.fds.get(call.fd);
    if (file?.kind === 'memfd') (file as MemoryFile).backing.size = arg(call, 1);
  },
  close: (_machine, process, call) => {
    process.close(call.fd);
    process.cloexec.delete(call.fd);
  },
  close_range: (_machine, process, call) => {
    for (const fd of process.fds.keys()) if (fd >= arg(call, 0) && fd <= arg(call, 1)) process.close(fd);
  },
  dup: (_machine, process, call) => duplicate(process, call.fd, call.ret, true, false),
  dup2: (_machine, process, call) => duplicate(process, call.fd, call.ret, false, false),
  dup3: (_machine, process, call) => duplicate(process, call.fd, call.ret, false, (arg(call, 2) & O_CLOEXEC) !== 0),
  fcntl,
  pipe: (_machine, process, call) => installPair(process, call),
  pipe2: (_machine, process, call) => installPair(process, call),
  socketpair: (_machine, process, call) => installPair(process, call),
  mmap,
  munmap: (_machine, process, call) => process.memory.unmap(arg(call, 0), roundUp(arg(call, 1))),
  mprotect: (_machine, process, call) => process.memory.protect(arg(call, 0), roundUp(arg(call, 1)), arg(call, 2) & 7),
  mremap: (_machine, process, call) => {
    const [from = 0, oldLength = 0, newLength = 0, flags = 0] = call.args;
    process.memory.move(from, (flags & MREMAP_DONTUNMAP) === 0 ? roundUp(oldLength) : 0, call.ret, roundUp(newLength));
  },
  madvise: (_machine, process, call) => {
    const advice = arg(call, 2);
    if (advice === MADV.dontNeed || advice === MADV.free || advice === MADV.remove || advice === MADV.dontNeedLocked)
      process.memory.discard(arg(call, 0), roundUp(arg(call, 1)));
  },
  brk,
  clone,
  clone3: clone,
  vfork: clone,
  pread64: pagemap,
  pwrite64: (_machine, process, call) => {
    const file = process.fds.get(call.fd);
    if (file instanceof VfioDevice && call.data !== undefined) file.written(arg(call, 3), call.data);
  },
  capset,
  prlimit64: prlimit,
  setrlimit: rlimit,
  getrlimit: rlimit,
  setuid: setUser,
  setreuid: setUser,
  setresuid: setUser,
};

function installPair(process: Process, { data }: SystemCall): void {
  if (data === undefined || data.length < 8) return;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  installNew(process, view.getInt32(0, true), newFile('other'));
  installNew(process, view.getInt32(4, true), newFile('other'));
}
