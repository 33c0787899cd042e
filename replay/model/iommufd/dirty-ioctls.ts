import { U64_MAX } from './area-tree.ts';
import type { Area } from './area-tree.ts';
import { PAGE_SIZE } from './backing.ts';
import { DirtyBits } from './dirty-bits.ts';
import type { DirtyLoss } from './harvest-listener.ts';
import { ERRNO } from './errno.ts';
import type { HwptPaging } from './hwpt.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import { Unjudged } from './unjudged.ts';

const NO_CLEAR = 1;
/** Larger bitmaps are not told of. */
const MOST_BITMAP_BYTES = 1 << 20;
/** Entries are counted one by one up to here. */
const MOST_ENTRIES = 1 << 18;

/** The dirty entries of a domain. */
export function dirtyBitsOf(hwpt: HwptPaging): DirtyBits {
  hwpt.dirty ??= new DirtyBits(hwpt);
  return hwpt.dirty;
}

function setTracking({ context, struct }: IoctlCall): number {
  const flags = struct.u32(4);
  if ((flags & ~1) !== 0) return -ERRNO.EOPNOTSUPP;
  const hwpt = context.objects.find(struct.u32(8), 'hwptPaging');
  if (hwpt === undefined) return -ERRNO.ENOENT;
  if (!hwpt.domain.dirtyOps) return -ERRNO.EOPNOTSUPP;
  if ((flags & 1) !== 0) hwpt.dirty?.clearAll();
  hwpt.domain.dirtyTracking = (flags & 1) !== 0;
  context.machine.intents?.tracking(hwpt.domain, hwpt.domain.dirtyTracking);
  return 0;
}

/** One request for a bitmap. */
interface Request {
  readonly iova: bigint;
  readonly last: bigint;
  /** log2 of what one bit stands for. */
  readonly shift: number;
  readonly data: bigint;
  readonly clear: boolean;
}

function getBitmap(call: IoctlCall): number {
  const { context, struct } = call;
  const flags = struct.u32(8);
  if ((flags & ~NO_CLEAR) !== 0 || struct.u32(12) !== 0) return -ERRNO.EOPNOTSUPP;
  const hwpt = context.objects.find(struct.u32(4), 'hwptPaging');
  if (hwpt === undefined) return -ERRNO.ENOENT;
  const iova = struct.u64(16);
  const length = struct.u64(24);
  const pageSize = struct.u64(32);
  const last = iova + BigInt.asUintN(64, length - 1n);
  if (last > U64_MAX) return -ERRNO.EOVERFLOW;
  const end = BigInt.asUintN(64, last + 1n);
  const alignment = hwpt.ioas.alignment - 1n;
  if (((iova | end) & alignment) !== 0n) return -ERRNO.EINVAL;
  if (pageSize === 0n) return -ERRNO.EINVAL;
  if (((iova | end) & (pageSize - 1n)) !== 0n) return -ERRNO.EINVAL;
  if (!hwpt.domain.dirtyOps) return -ERRNO.EOPNOTSUPP;
  const shift = (pageSize & -pageSize).toString(2).length - 1;
  const request: Request = { iova, last, shift, data: struct.u64(40), clear: (flags & NO_CLEAR) === 0 };
  const bits = dirtyBitsOf(hwpt);
  for (const area of hwpt.ioas.contiguous(iova, last)) readArea(call, bits, area, request);
  const { intents, harvests } = context.machine;
  if (harvests !== undefined) harvests.walked(...walkOf(bits, hwpt.ioas.contiguous(iova, last), request));
  if (intents !== undefined) {
    const bitmap = bitmapOf(call, request);
    intents.harvested(hwpt.domain, { iova, length, pageSize, flags, bitmap });
  }
  return 0;
}

/** Mapped bytes of a request, and the table entries that map them. */
function walkOf(bits: DirtyBits, areas: Iterable<Area>, request: Request): [bytes: bigint, entries: number | null] {
  let bytes = 0n;
  let entries: number | null = 0;
  for (const area of areas) {
    const { from, to } = covered(area, request);
    bytes += BigInt(to - from + 1);
    const more: number | undefined = entries === null ? undefined : bits.slots(area, from, to, MOST_ENTRIES - entries);
    entries = more === undefined || entries === null ? null : entries + more;
  }
  return [bytes, entries];
}

/** The caller's bitmap after the call; undefined where it was not recorded. */
function bitmapOf({ process }: IoctlCall, { iova, last, shift, data }: Request): Uint8Array | undefined {
  const bits = (last - iova + 1n) >> BigInt(shift);
  const bytes = Number((bits + 7n) / 8n);
  if (bytes > MOST_BITMAP_BYTES) return undefined;
  try {
    return process.memory.read(data, bytes);
  } catch (error) {
    if (error instanceof Unjudged) return undefined;
    throw error;
  }
}

/** What a request covers of an area, in bytes from the area's start, both ends inclusive. */
function covered(area: Area, request: Request): { readonly from: number; readonly to: number } {
  return {
    from: request.iova > area.start ? Number(request.iova - area.start) : 0,
    to: Number((request.last < area.last ? request.last : area.last) - area.start),
  };
}

function readArea(call: IoctlCall, bits: DirtyBits, area: Area, request: Request): void {
  if (!bits.any(area)) return;
  const { from, to } = covered(area, request);
  for (const start of bits.starts(area)) {
    const entry = bits.entry(area, start);
    if (entry.last < from || entry.start > to) continue;
    const at = Math.max(entry.start, from);
    const length = reportedLength(call, entry, at, to);
    const first = area.start + BigInt(at);
    const told = bitAt(request, first, length);
    const all = bitAt(request, first, Math.min(entry.last, to) - at + 1);
    const written = setBits(call, request, first, length);
    const { harvests } = call.context.machine;
    if (harvests !== undefined) {
      const bit = bitAt(request, first, 1);
      const within = Math.min(length, Number(request.last - first) + 1);
      harvests.reported(first, within, Math.max(0, Math.min(written, bitAt(request, first, within)) - bit + 1));
    }
    if (written < Math.min(told, all)) lose(call, request, 'unwritable-bitmap', [written + 1, Math.min(told, all)]);
    if (told < all) {
      call.context.machine.needed('contiguous-dirty-tail');
      lose(call, request, 'contiguous-dirty-tail', [told + 1, all]);
    }
    if (request.clear) bits.clear(area, start);
  }
}

/** The bits, both ends inclusive, stay 0 although their pages are dirty. */
function lose({ context }: IoctlCall, request: Request, cause: DirtyLoss['cause'], bits: readonly [number, number]) {
  const { iova, shift, data, clear } = request;
  context.machine.harvests?.dirtyLost({ cause, iova, shift, data, bits, cleared: clear });
}

/**
 * Bytes from `at` on that an entry reports. It is told by its items, without a look at where in its first one the walk met it: a
 * request that starts inside an item hears of as many bytes behind that item. An entry of one item counts whole, even beyond the
 * request; one of several is cut behind the item in which the request ends. Linux 7.2 takes the last item's index for the one
 * behind it: quirk `contiguous-dirty-tail`.
 */
function reportedLength(call: IoctlCall, entry: ReturnType<DirtyBits['entry']>, at: number, to: number): number {
  const { machine } = call.context;
  const { start, last, itemBytes } = entry;
  if (itemBytes === last - start + 1) return itemBytes;
  const first = Math.floor((at - start) / itemBytes);
  const items = (last - start + 1) / itemBytes;
  const behind = to < last ? Math.floor((to - start) / itemBytes) + 1 : items;
  if (behind < items || !machine.quirk('contiguous-dirty-tail')) return (behind - first) * itemBytes;
  if (first === items - 1) {
    machine.needed('endless-dirty-walk');
    throw new Unjudged('the kernel would never return (quirk endless-dirty-walk)');
  }
  return (items - 1 - first) * itemBytes;
}

/** The bit of the last of `length` bytes from an address. */
function bitAt(request: Request, at: bigint, length: number): number {
  return Number((at + BigInt(length) - 1n - request.iova) >> BigInt(request.shift));
}

/**
 * iova_bitmap_set: bit 0 stands for the request's start. What can't be written is lost, and so is what lies behind the pages that
 * are pinned for the rest of the bitmap from the first bit's byte on. Returns the last bit that was written.
 */
function setBits({ process }: IoctlCall, request: Request, at: bigint, length: number): number {
  const first = bitAt(request, at, 1);
  const last = bitAt(request, at, length);
  const bytes = Number((request.last - request.iova) >> BigInt(request.shift + 3)) + 1;
  const start = request.data + BigInt(Math.floor(first / 8));
  const offset = Number(start % BigInt(PAGE_SIZE));
  const pages = Math.ceil((bytes - Math.floor(first / 8)) / PAGE_SIZE) + (offset === 0 ? 0 : 1);
  const limit = start - BigInt(offset) + BigInt(pages * PAGE_SIZE);
  const asked = bytes - 1;
  for (let bit = first; bit <= last; ) {
    const byte = Math.floor(bit / 8);
    const address = request.data + BigInt(byte);
    let mask = 0;
    const from = bit;
    for (; bit <= last && Math.floor(bit / 8) === byte; bit++) mask |= 1 << (bit % 8);
    if (address >= limit || !process.memory.or(address, mask, byte <= asked)) return from - 1;
  }
  return last;
}

export const dirtyIoctls: readonly IoctlSpec[] = [
  { request: 0x3b8b, name: 'IOMMU_HWPT_SET_DIRTY_TRACKING', minSize: 16, size: 16, handle: setTracking },
  { request: 0x3b8c, name: 'IOMMU_HWPT_GET_DIRTY_BITMAP', minSize: 48, size: 48, handle: getBitmap },
];
