import { dirtyBitsOf } from '../dirty-ioctls.ts';
import { ERRNO } from '../errno.ts';
import type { IoctlCall } from '../ioctl.ts';
import { idOf } from './mock-op.ts';
import type { MockOp } from './mock-op.ts';

const MOST_BITS = 2n ** 27n;

/** Makes the entries dirty whose bits are set, as a device's writes would. */
function dirty(call: IoctlCall): number {
  const { struct, process } = call;
  const iova = struct.u64(24);
  const length = struct.u64(32);
  const pageSize = struct.u64(40);
  const address = struct.u64(48);
  if (pageSize === 0n || length === 0n || address === 0n) return -ERRNO.EINVAL;
  if (iova % pageSize !== 0n || length % pageSize !== 0n) return -ERRNO.EINVAL;
  const count = length / pageSize;
  if (count > MOST_BITS) return -ERRNO.EOVERFLOW;
  const hwpt = call.context.objects.find(idOf(call), 'hwptPaging');
  if (hwpt === undefined) return -ERRNO.ENOENT;
  if (!hwpt.domain.dirtyTracking) return -ERRNO.EINVAL;
  const bytes = process.memory.read(address, Number((count + 7n) / 8n));
  if (bytes === undefined) return -ERRNO.EFAULT;
  let set = 0n;
  const bits = dirtyBitsOf(hwpt);
  for (let i = 0; i < Number(count); i++) {
    if (((bytes[i >> 3] ?? 0) & (1 << (i & 7))) === 0) continue;
    set++;
    const at = BigInt.asUintN(64, iova + BigInt(i) * pageSize);
    const area = hwpt.ioas.areas.first(at, at);
    if (area !== undefined) bits.set(area, at);
  }
  struct.setU64(56, set);
  return call.respond();
}

export const mockDirtyOps: readonly MockOp[] = [{ op: 13, name: 'DIRTY', handle: dirty }];
