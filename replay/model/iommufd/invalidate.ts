import { ERRNO } from './errno.ts';
import type { IntentGuest } from './intents.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import type { InvalidateOutcome, InvalidateRequest } from './parts.ts';

/** Bounds that HWPT_INVALIDATE sets to its array. */
const MAX_ENTRY_BYTES = 4096;
const MAX_ENTRIES = 1 << 19;
/** Bytes of the largest entry that any driver looks at. */
const LARGEST_ENTRY = 24;

/**
 * struct iommu_hwpt_invalidate: hwpt 4, data_uptr 8, data_type 16, entry_len 20, entry_num 24, reserved 28. The number of
 * entries that were done is written back whatever comes out.
 */
function invalidate(call: IoctlCall): number {
  const { struct } = call;
  const { done, ret, issued = done } = run(call);
  if (issued > 0) tell(call, issued);
  struct.setU32(24, done);
  return call.respond() === 0 ? ret : -ERRNO.EFAULT;
}

function tell({ context, process, struct }: IoctlCall, count: number): void {
  const { intents } = context.machine;
  if (intents === undefined) return;
  const nested = context.objects.find(struct.u32(4), 'hwptNested');
  const viommu = context.objects.find(struct.u32(4), 'viommu');
  const target = nested?.domain ?? viommu;
  if (target === undefined) return;
  const bytes = struct.u32(20);
  const entries: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const entry = process.memory.read(struct.u64(8) + BigInt(i) * BigInt(bytes), Math.min(bytes, LARGEST_ENTRY));
    if (entry === undefined) return;
    entries.push(entry);
  }
  const guest: IntentGuest | undefined = viommu && {
    parent: viommu.parent.domain,
    iommu: viommu.iommu,
    deviceOf: (virtual) => viommu.vdevices.get(virtual)?.device,
  };
  intents.invalidated(target, {
    type: struct.u32(16),
    guest,
    entries,
    maxAddressMask: nested?.domain.maxAddressMask,
  });
}

function run(call: IoctlCall): InvalidateOutcome {
  const { context, process, struct } = call;
  const refused = (errno: number) => ({ done: 0, ret: -errno });
  const request: InvalidateRequest = {
    type: struct.u32(16),
    address: struct.u64(8),
    entryLength: struct.u32(20),
    count: struct.u32(24),
    readBytes: (address, length) => process.memory.read(address, length),
  };
  if (struct.u32(28) !== 0) return refused(ERRNO.EOPNOTSUPP);
  const { count, address, entryLength } = request;
  if (count > 0 && (address === 0n || entryLength === 0 || entryLength > MAX_ENTRY_BYTES || count > MAX_ENTRIES)) {
    return refused(ERRNO.EINVAL);
  }
  const id = struct.u32(4);
  const nested = context.objects.find(id, 'hwptNested');
  if (nested !== undefined) return nested.domain.invalidate?.(request) ?? refused(ERRNO.EOPNOTSUPP);
  const viommu = context.objects.find(id, 'viommu');
  if (viommu !== undefined) return viommu.invalidate(request);
  return refused(context.objects.get(id) === undefined ? ERRNO.ENOENT : ERRNO.EINVAL);
}

/** IOMMU_HWPT_INVALIDATE. */
export const invalidateIoctls: readonly IoctlSpec[] = [
  { request: 0x3b8d, name: 'IOMMU_HWPT_INVALIDATE', minSize: 32, size: 32, handle: invalidate },
];
