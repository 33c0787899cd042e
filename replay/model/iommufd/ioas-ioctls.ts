import { U64_MAX } from './area-tree.ts';
import type { IovaRange } from './backend.ts';
import { PAGE_SIZE } from './backing.ts';
import { ERRNO } from './errno.ts';
import { Ioas } from './ioas.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import { filePages } from './file-pages.ts';
import { PageAccount, accountOf } from './locked-memory.ts';
import type { Process } from './process.ts';
import { Pages, pageCount } from './pages.ts';
import { StructView } from './struct-view.ts';
import { Unjudged } from './unjudged.ts';

/** Flags of MAP, MAP_FILE and COPY (enum iommufd_ioas_map_flags). */
const MAP_FLAG = { fixed: 1, write: 2, read: 4, syz: 0x1_0000 } as const;
const MAX_LENGTH = U64_MAX - BigInt(PAGE_SIZE);

function protOf(flags: number): number {
  return ((flags & MAP_FLAG.read) !== 0 ? 1 : 0) | ((flags & MAP_FLAG.write) !== 0 ? 2 : 0);
}

function alloc(call: IoctlCall): number {
  const { context, struct } = call;
  if (struct.u32(4) !== 0) return -ERRNO.EOPNOTSUPP;
  const ioas = context.objects.add(new Ioas(context));
  struct.setU32(8, ioas.id);
  return call.respond(() => context.objects.remove(ioas));
}

/** iommufd_ioas_load_iovas: the list of ALLOW_IOVAS, refused at the first bad range. */
function loadRanges(call: IoctlCall, address: bigint, count: number): IovaRange[] | number {
  const ranges: IovaRange[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = call.process.memory.read(address + BigInt(i) * 16n, 16);
    if (bytes === undefined) return -ERRNO.EFAULT;
    const view = new StructView(bytes);
    const start = view.u64(0);
    const last = view.u64(8);
    if (start >= last) return -ERRNO.EINVAL;
    let at = ranges.length;
    for (let low = 0; low < at; ) {
      const middle = (low + at) >>> 1;
      if ((ranges[middle] as IovaRange).start < start) low = middle + 1;
      else at = middle;
    }
    const [before, after] = [ranges[at - 1], ranges[at]];
    if ((before !== undefined && before.last >= start) || (after !== undefined && after.start <= last))
      return -ERRNO.EINVAL;
    ranges.splice(at, 0, { start, last });
  }
  return ranges;
}

function allowIovas({ context, struct, ...call }: IoctlCall): number {
  if (struct.u32(12) !== 0) return -ERRNO.EOPNOTSUPP;
  const ioas = context.objects.find(struct.u32(4), 'ioas');
  if (ioas === undefined) return -ERRNO.ENOENT;
  const ranges = loadRanges({ context, struct, ...call }, struct.u64(16), struct.u32(8));
  if (typeof ranges === 'number') return ranges;
  if (ranges.some(({ start, last }) => ioas.reserved.first(start, last) !== undefined)) return -ERRNO.EADDRINUSE;
  ioas.allowed = ranges;
  return 0;
}

function iovaRanges(call: IoctlCall): number {
  const { context, struct } = call;
  if (struct.u32(12) !== 0) return -ERRNO.EOPNOTSUPP;
  const ioas = context.objects.find(struct.u32(4), 'ioas');
  if (ioas === undefined) return -ERRNO.ENOENT;
  const room = struct.u32(8);
  if (!ioas.reservedKnown) throw new Unjudged('reserved regions of the device are not known');
  const holes = ioas.reserved.holes();
  const element = new StructView(new Uint8Array(16));
  for (const [i, { start, last }] of holes.slice(0, room).entries()) {
    element.setU64(0, start);
    element.setU64(8, last);
    if (!call.process.memory.write(struct.u64(16) + BigInt(i) * 16n, element.bytes)) return -ERRNO.EFAULT;
  }
  struct.setU32(8, holes.length);
  struct.setU64(24, ioas.alignment);
  const ret = call.respond();
  if (ret !== 0) return ret;
  return holes.length > room ? -ERRNO.EMSGSIZE : 0;
}

function map(call: IoctlCall): number {
  const { context, struct, process } = call;
  const flags = struct.u32(4);
  const address = struct.u64(16);
  const length = struct.u64(24);
  const iova = struct.u64(32);
  if ((flags & ~7) !== 0 || struct.u32(12) !== 0) return -ERRNO.EOPNOTSUPP;
  if (iova >= U64_MAX || length >= U64_MAX) return -ERRNO.EOVERFLOW;
  if ((flags & 6) === 0) return -ERRNO.EINVAL;
  const ioas = context.objects.find(struct.u32(8), 'ioas');
  if (ioas === undefined) return -ERRNO.ENOENT;
  const fixed = (flags & MAP_FLAG.fixed) !== 0 ? iova : undefined;
  const result = mapUser(ioas, process, address, length, fixed, protOf(flags));
  if (typeof result === 'number') return result;
  struct.setU64(32, result);
  return call.respond();
}

/** iopt_map_user_pages: the address, or a negative errno. */
export function mapUser(
  ioas: Ioas,
  process: Process,
  address: bigint,
  length: bigint,
  fixed: bigint | undefined,
  prot: number,
): bigint | number {
  if (address + length > U64_MAX) return -ERRNO.EOVERFLOW;
  if (length === 0n || length > MAX_LENGTH) return -ERRNO.EINVAL;
  const startByte = Number(address & BigInt(PAGE_SIZE - 1));
  const count = pageCount(startByte, length);
  const base = Number(address - BigInt(startByte));
  const account = accountOf(process, ioas.context.accountPerProcess);
  const pages = new Pages(process.memory, base, count, (prot & 2) !== 0, account);
  return ioas.map([{ pages, startByte, length }], length, fixed, prot);
}

function mapFile(call: IoctlCall): number {
  const { context, struct } = call;
  const flags = struct.u32(4);
  const length = struct.u64(24);
  const iova = struct.u64(32);
  if ((flags & ~7) !== 0) return -ERRNO.EOPNOTSUPP;
  if (iova >= U64_MAX || length >= U64_MAX) return -ERRNO.EOVERFLOW;
  if ((flags & 6) === 0) return -ERRNO.EINVAL;
  const ioas = context.objects.find(struct.u32(8), 'ioas');
  if (ioas === undefined) return -ERRNO.ENOENT;
  const start = struct.u64(16);
  const account = accountOf(call.process, context.accountPerProcess);
  const pages = filePages(call.process, struct.i32(12), start, length, (flags & MAP_FLAG.write) !== 0, account);
  if (typeof pages === 'number') return pages;
  const startByte = Number(start & BigInt(PAGE_SIZE - 1));
  const fixed = (flags & MAP_FLAG.fixed) !== 0 ? iova : undefined;
  const result = ioas.map([{ pages, startByte, length }], length, fixed, protOf(flags));
  if (typeof result === 'number') return result;
  struct.setU64(32, result);
  return call.respond();
}

/** Test kernels take {u32 nth area, u32 offset} in the place of an address. */
export function syzIova(ioas: Ioas | undefined, packed: bigint): bigint {
  let nth = Number(packed & 0xffff_ffffn);
  for (const area of ioas?.areas.values() ?? []) {
    if (nth === 0) return (area.start + (packed >> 32n)) & U64_MAX;
    nth--;
  }
  return 0n;
}

function copy(call: IoctlCall): number {
  const { context, struct } = call;
  if (context.machine.testKernel && (struct.u32(4) & MAP_FLAG.syz) !== 0) {
    struct.setU32(4, struct.u32(4) & ~MAP_FLAG.syz);
    const source = context.objects.find(struct.u32(12), 'ioas');
    if (source !== undefined) struct.setU64(32, syzIova(source, struct.u64(32)));
  }
  const flags = struct.u32(4);
  const length = struct.u64(16);
  const to = struct.u64(24);
  const from = struct.u64(32);
  if ((flags & ~7) !== 0) return -ERRNO.EOPNOTSUPP;
  if (length >= U64_MAX || from >= U64_MAX || to >= U64_MAX) return -ERRNO.EOVERFLOW;
  if ((flags & 6) === 0) return -ERRNO.EINVAL;
  const source = context.objects.find(struct.u32(12), 'ioas');
  if (source === undefined) return -ERRNO.ENOENT;
  const pieces = source.pieces(from, length);
  if (typeof pieces === 'number') return pieces;
  const target = context.objects.find(struct.u32(8), 'ioas');
  if (target === undefined) return -ERRNO.ENOENT;
  const fixed = (flags & MAP_FLAG.fixed) !== 0 ? to : undefined;
  const result = target.map(pieces, length, fixed, protOf(flags));
  if (typeof result === 'number') return result;
  struct.setU64(24, result);
  return call.respond();
}

function unmap(call: IoctlCall): number {
  const { context, struct } = call;
  const ioas = context.objects.find(struct.u32(4), 'ioas');
  if (ioas === undefined) return -ERRNO.ENOENT;
  const iova = struct.u64(8);
  const length = struct.u64(16);
  let bytes: bigint;
  if (iova === 0n && length === U64_MAX) {
    const done = ioas.unmapRange(0n, U64_MAX);
    if (done.ret !== 0) return done.ret;
    bytes = done.bytes;
  } else {
    if (iova >= U64_MAX || length >= U64_MAX) return -ERRNO.EOVERFLOW;
    if (length === 0n) return -ERRNO.EINVAL;
    if (iova + length - 1n > U64_MAX) return -ERRNO.EOVERFLOW;
    const done = ioas.unmapRange(iova, iova + length - 1n);
    if (done.ret !== 0) return done.ret;
    if (done.bytes === 0n) return -ERRNO.ENOENT;
    bytes = done.bytes;
  }
  struct.setU64(16, bytes);
  return call.respond();
}

/**
 * What the context has pinned is counted for the calling process from now on (iommufd_ioas_change_process). Pages stay pinned
 * and mapped all the time: there is nothing like the window of VFIO's UPDATE_VADDR. All or nothing.
 */
function changeProcess({ context, struct, process }: IoctlCall): number {
  if (struct.u32(4) !== 0) return -ERRNO.EOPNOTSUPP;
  const moving = new Set<Pages>();
  for (const object of context.objects.values()) {
    if (object.type !== 'ioas') continue;
    const ioas = context.objects.find(object.id, 'ioas');
    for (const { pages } of ioas?.areas.values() ?? []) {
      if (pages.source.kind !== 'file') return -ERRNO.EINVAL;
      if (pages.account?.movesTo(process) === true) moving.add(pages);
    }
  }
  const sums = { user: 0, process: 0 };
  for (const { account, charged } of moving) sums[account?.perProcess === true ? 'process' : 'user'] += charged;
  // The new payer is charged before the old one is relieved, which counts twice where both are the same user.
  const byUser = new PageAccount(process, false);
  if (!byUser.charge(sums.user)) return -ERRNO.ENOMEM;
  if (!new PageAccount(process, true).charge(sums.process)) {
    byUser.charge(-sums.user);
    return -ERRNO.ENOMEM;
  }
  for (const { account, charged } of moving) account?.moveTo(process, charged);
  return 0;
}

export const ioasIoctls: readonly IoctlSpec[] = [
  { request: 0x3b81, name: 'IOMMU_IOAS_ALLOC', minSize: 12, size: 12, handle: alloc },
  { request: 0x3b82, name: 'IOMMU_IOAS_ALLOW_IOVAS', minSize: 24, size: 24, handle: allowIovas },
  { request: 0x3b83, name: 'IOMMU_IOAS_COPY', minSize: 40, size: 40, handle: copy },
  { request: 0x3b84, name: 'IOMMU_IOAS_IOVA_RANGES', minSize: 32, size: 32, handle: iovaRanges },
  { request: 0x3b85, name: 'IOMMU_IOAS_MAP', minSize: 40, size: 40, handle: map },
  { request: 0x3b86, name: 'IOMMU_IOAS_UNMAP', minSize: 24, size: 24, handle: unmap },
  { request: 0x3b8f, name: 'IOMMU_IOAS_MAP_FILE', minSize: 40, size: 40, handle: mapFile },
  { request: 0x3b92, name: 'IOMMU_IOAS_CHANGE_PROCESS', minSize: 8, size: 8, handle: changeProcess },
];
