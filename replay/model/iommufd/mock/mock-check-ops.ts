import { pinError } from '../address-space.ts';
import { U64_MAX } from '../area-tree.ts';
import { PAGE_SIZE } from '../backing.ts';
import { ERRNO } from '../errno.ts';
import type { IoctlCall } from '../ioctl.ts';
import { Unjudged } from '../unjudged.ts';
import { MockNestedDomain } from './mock-nested.ts';
import type { MockDevice } from './mock-nested.ts';
import { idOf } from './mock-op.ts';
import type { MockOp } from './mock-op.ts';

const PAGE = BigInt(PAGE_SIZE);
const LOWEST_LIMIT = 12;
/** Pages are looked at one by one up to here. */
const MOST_BYTES = 1n << 34n;

function addReserved(call: IoctlCall): number {
  const { struct } = call;
  const start = struct.u64(16);
  const length = struct.u64(24);
  if (length === 0n) return -ERRNO.EINVAL;
  if (start + length - 1n > U64_MAX) return -ERRNO.EOVERFLOW;
  const ioas = call.context.objects.find(idOf(call), 'ioas');
  if (ioas === undefined) return -ERRNO.ENOENT;
  return ioas.reserve(start, start + length - 1n, undefined);
}

/** Compares the table's translation with the page behind a user address, page by page. */
function checkMap(call: IoctlCall): number {
  const { struct, process } = call;
  const hwpt = call.context.objects.find(idOf(call), 'hwptPaging');
  if (hwpt === undefined) return -ERRNO.ENOENT;
  const iova = struct.u64(16);
  const length = struct.u64(24);
  const address = struct.u64(32);
  const { pageSizes } = hwpt.domain;
  const step = pageSizes & -pageSizes;
  if (((iova | length | address) & (step - 1n)) !== 0n || address + length > U64_MAX) return -ERRNO.EINVAL;
  for (let done = 0n; done < length; ) {
    if (done > MOST_BYTES) throw new Unjudged('range too long to look at page by page');
    const at = address + done;
    const user = process.memory.page(at);
    if (user === undefined) return pinError(Number(at & ~(PAGE - 1n)), 1);
    const area = hwpt.ioas.areas.first(iova + done, iova + done);
    if (area === undefined) return -ERRNO.EINVAL;
    const byte = area.byteAt(iova + done);
    const mapped = area.pages.physical(Math.floor(byte / PAGE_SIZE));
    const offset = at % PAGE;
    if (mapped === undefined || mapped.backing !== user.backing || mapped.page !== user.page) return -ERRNO.EINVAL;
    if (BigInt(byte % PAGE_SIZE) !== offset) return -ERRNO.EINVAL;
    if (area.pages.gone) return -ERRNO.EINVAL;
    // The rest of this page is the same page on both sides, as far as the area goes.
    const inPage = PAGE - offset;
    const inArea = area.last - (iova + done) + 1n;
    done += inPage < inArea ? inPage : inArea;
  }
  return 0;
}

function checkRefs({ struct, process }: IoctlCall): number {
  const length = struct.u64(16);
  const address = struct.u64(24);
  if (length % PAGE !== 0n || address % PAGE !== 0n || address + length > U64_MAX) return -ERRNO.EINVAL;
  for (let done = 0n; done < length; done += PAGE) {
    if (done > MOST_BYTES) throw new Unjudged('range too long to look at page by page');
    const user = process.memory.page(address + done);
    if (user === undefined) return -ERRNO.EFAULT;
    if (user.backing.hugeShift !== 0) continue;
    if (user.backing.pinners.pinsOf(user.page) !== struct.u32(32)) return -ERRNO.EIO;
  }
  return 0;
}

function checkIotlb(call: IoctlCall): number {
  const word = call.struct.u32(16);
  const hwpt = call.context.objects.find(idOf(call), 'hwptNested');
  if (hwpt === undefined) return -ERRNO.ENOENT;
  if (word > 3 || !(hwpt.domain instanceof MockNestedDomain)) return -ERRNO.EINVAL;
  return hwpt.domain.words[word] === call.struct.u32(20) ? 0 : -ERRNO.EINVAL;
}

function checkCache(call: IoctlCall): number {
  const word = call.struct.u32(16);
  const device = call.context.objects.find(idOf(call), 'device');
  if (device === undefined) return -ERRNO.ENOENT;
  if (word > 3) return -ERRNO.EINVAL;
  return (device.driverData as MockDevice).cache[word] === call.struct.u32(20) ? 0 : -ERRNO.EINVAL;
}

export const mockCheckOps: readonly MockOp[] = [
  { op: 1, name: 'ADD_RESERVED', handle: addReserved },
  { op: 3, name: 'MD_CHECK_MAP', handle: checkMap },
  { op: 4, name: 'MD_CHECK_REFS', handle: checkRefs },
  {
    op: 9,
    name: 'SET_TEMP_MEMORY_LIMIT',
    handle: ({ struct }) => (struct.u32(16) < LOWEST_LIMIT ? -ERRNO.EINVAL : 0),
  },
  { op: 14, name: 'MD_CHECK_IOTLB', handle: checkIotlb },
  { op: 16, name: 'DEV_CHECK_CACHE', handle: checkCache },
];
