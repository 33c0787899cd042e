import { U64_MAX } from '../area-tree.ts';
import { PAGE_SIZE } from '../backing.ts';
import type { Context } from '../context.ts';
import { ERRNO } from '../errno.ts';
import type { Ioas } from '../ioas.ts';
import { mapUser } from '../ioas-ioctls.ts';
import type { IoctlCall } from '../ioctl.ts';
import { StructView } from '../struct-view.ts';
import { noIommuBuilt } from './build-options.ts';
import { cutAreas } from './cut-areas.ts';
import { EXTENSION, VFIO } from './requests.ts';
import { readArgsz, writeWord } from './user-struct.ts';

/** Up to the last member that a caller must give: struct vfio_iommu_type1_dma_map, _dma_unmap and _info. */
const MAP_BYTES = 32;
const UNMAP_BYTES = 24;
const INFO_MINIMUM = 16;
const INFO_BYTES = 24;
const UNMAP_ALL = 2;
const PAGE_MASK = U64_MAX - BigInt(PAGE_SIZE - 1);

/** The container calls of VFIO on an iommufd (drivers/iommu/iommufd/vfio_compat.c). */
export function vfioCompat(call: IoctlCall): number {
  switch (call.request) {
    case VFIO.getApiVersion:
      return 0;
    case VFIO.checkExtension:
      return checkExtension(call);
    case VFIO.setIommu:
      return setIommu(call.context, Number(call.argument & 0xffff_ffffn));
    case VFIO.iommuGetInfo:
      return getInfo(call);
    case VFIO.iommuMapDma:
      return mapDma(call);
    case VFIO.iommuUnmapDma:
      return unmapDma(call);
    default:
      return -ERRNO.ENOTTY;
  }
}

function checkExtension({ context, argument }: IoctlCall): number {
  switch (Number(argument)) {
    case EXTENSION.type1:
    case EXTENSION.type1v2:
    case EXTENSION.unmapAll:
      return 1;
    case EXTENSION.noIommu:
      return noIommuBuilt(context.machine);
    case EXTENSION.dmaCc: {
      const ioas = context.compatIoas;
      if (ioas === undefined) return -ERRNO.ENODEV;
      return ioas.hwpts.every((hwpt) => hwpt.domain.enforcedCoherency === true) ? 1 : 0;
    }
    default:
      return 0;
  }
}

function setIommu(context: Context, type: number): number {
  if (type === EXTENSION.noIommu && context.noIommu) return 0;
  if ((type !== EXTENSION.type1 && type !== EXTENSION.type1v2) || context.noIommu) return -ERRNO.EINVAL;
  if (context.compatIoas === undefined) return -ERRNO.ENODEV;
  return type === EXTENSION.type1 ? context.compatIoas.setLargePages(false) : 0;
}

/** {0 argsz, 4 flags, 8 vaddr, 16 iova, 24 size}; flags 1 read, 2 write. The address is always the caller's. */
function mapDma(call: IoctlCall): number {
  const map = readArgsz(call.process, call.argument, MAP_BYTES);
  if (typeof map === 'number') return map;
  const prot = map.u32(4);
  if ((prot & ~3) !== 0) return -ERRNO.EINVAL;
  const { compatIoas } = call.context;
  if (compatIoas === undefined) return -ERRNO.ENODEV;
  const result = mapUser(compatIoas, call.process, map.u64(8), map.u64(24), map.u64(16), prot);
  return typeof result === 'number' ? result : 0;
}

/** {0 argsz, 4 flags, 8 iova, 16 size}. The bytes that went are written back also where it failed on its way. */
function unmapDma(call: IoctlCall): number {
  const unmap = readArgsz(call.process, call.argument, UNMAP_BYTES);
  if (typeof unmap === 'number') return unmap;
  const flags = unmap.u32(4);
  if ((flags & ~UNMAP_ALL) !== 0) return -ERRNO.EINVAL;
  const ioas = call.context.compatIoas;
  if (ioas === undefined) return -ERRNO.ENODEV;
  const iova = unmap.u64(8);
  const size = unmap.u64(16);
  let done: { readonly bytes: bigint; readonly ret: number };
  if ((flags & UNMAP_ALL) !== 0) {
    if (iova !== 0n || size !== 0n) return -ERRNO.EINVAL;
    done = ioas.unmapRange(0n, U64_MAX);
  } else {
    if (ioas.noLargePages) {
      const ret = cutAreas(ioas, iova, size);
      if (ret !== 0) return ret;
    }
    done = unmapRange(ioas, iova, size);
  }
  unmap.setU64(16, done.bytes);
  return call.process.memory.write(call.argument, unmap.bytes) ? done.ret : -ERRNO.EFAULT;
}

function unmapRange(ioas: Ioas, iova: bigint, size: bigint): { readonly bytes: bigint; readonly ret: number } {
  if (size === 0n) return { bytes: 0n, ret: -ERRNO.EINVAL };
  const last = iova + size - 1n;
  return last > U64_MAX ? { bytes: 0n, ret: -ERRNO.EOVERFLOW } : ioas.unmapRange(iova, last);
}

/** Page sizes that every domain has; those below a page count as a page. */
function pageSizes(ioas: Ioas): bigint {
  let sizes = U64_MAX;
  for (const hwpt of ioas.hwpts) sizes &= hwpt.domain.pageSizes;
  return (sizes & ~PAGE_MASK) === 0n ? sizes : (sizes & PAGE_MASK) | BigInt(PAGE_SIZE);
}

function capability(id: number, bytes: number): StructView {
  const view = new StructView(new Uint8Array(bytes));
  view.bytes[0] = id;
  view.bytes[2] = 1;
  return view;
}

/** Capabilities as GET_INFO lists them: the limit of mappings (none), the ranges that can be mapped. */
function capabilities(ioas: Ioas): StructView[] {
  const limit = capability(3, 12);
  limit.setU32(8, 0xffff_ffff);
  const holes = ioas.reserved.holes();
  const ranges = capability(1, 16 + holes.length * 16);
  ranges.setU32(8, holes.length);
  for (const [i, { start, last }] of holes.entries()) {
    ranges.setU64(16 + i * 16, start);
    ranges.setU64(24 + i * 16, last);
  }
  return [limit, ranges];
}

/**
 * {0 argsz, 4 flags, 8 iova_pgsizes, 16 cap_offset, 20 pad}, then the capabilities {0 id, 2 version, 4 next}, each at a
 * multiple of 8. `argsz` comes back as what all of them take; those that fit are written one by one.
 */
function getInfo(call: IoctlCall): number {
  const { argument } = call;
  const { memory } = call.process;
  const head = readArgsz(call.process, argument, INFO_MINIMUM);
  if (typeof head === 'number') return head;
  const room = head.u32(0);
  const ioas = call.context.compatIoas;
  if (ioas === undefined) return -ERRNO.ENODEV;
  let total = INFO_BYTES;
  let last: number | undefined;
  for (const { bytes } of capabilities(ioas)) {
    if (!writeCapability(call, total, bytes, room > total ? room - total : 0)) return -ERRNO.EFAULT;
    if (last !== undefined && room >= total && !writeWord(call.process, argument + BigInt(last + 4), total)) {
      return -ERRNO.EFAULT;
    }
    last = total;
    total += Math.ceil(bytes.length / 8) * 8;
  }
  const info = new StructView(new Uint8Array(Math.min(room, INFO_BYTES)));
  info.setU32(0, total);
  info.setU32(4, 3);
  info.setU64(8, pageSizes(ioas));
  info.setU32(16, room >= total ? INFO_BYTES : 0);
  return memory.write(argument, info.bytes) ? 0 : -ERRNO.EFAULT;
}

/** Ranges are written while they fit, the rest of a capability only where all of it does. */
function writeCapability(call: IoctlCall, offset: number, bytes: Uint8Array, room: number): boolean {
  const { memory } = call.process;
  const at = call.argument + BigInt(offset);
  for (let end = 32; end <= bytes.length && room >= end; end += 16) {
    if (!memory.write(at + BigInt(end - 16), bytes.subarray(end - 16, end))) return false;
  }
  return room < bytes.length || memory.write(at, bytes.subarray(0, Math.min(bytes.length, 16)));
}
