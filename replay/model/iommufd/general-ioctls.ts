import { ERRNO } from './errno.ts';
import type { IoctlCall, IoctlSpec } from './ioctl.ts';
import { StructView } from './struct-view.ts';

const OPTION = { rlimitMode: 0, hugePages: 1 } as const;
const OP = { set: 0, get: 1 } as const;

function destroy({ context, struct }: IoctlCall): number {
  const object = context.objects.get(struct.u32(4));
  if (object === undefined) return -ERRNO.ENOENT;
  if (object.users !== 1) return -ERRNO.EBUSY;
  context.objects.remove(object);
  return 0;
}

function rlimitMode({ context, struct, process }: IoctlCall): number {
  const op = struct.u16(8);
  if (struct.u32(12) !== 0) return -ERRNO.EOPNOTSUPP;
  if (op === OP.get) {
    struct.setU64(16, context.accountPerProcess ? 1n : 0n);
    return 0;
  }
  if (op !== OP.set) return -ERRNO.EOPNOTSUPP;
  if (!process.sysResource) return -ERRNO.EPERM;
  if (!context.objects.empty) return -ERRNO.EBUSY;
  const value = struct.u64(16);
  if (value > 1n) return -ERRNO.EINVAL;
  context.accountPerProcess = value === 1n;
  return 0;
}

function hugePages({ context, struct }: IoctlCall): number {
  const ioas = context.objects.find(struct.u32(12), 'ioas');
  if (ioas === undefined) return -ERRNO.ENOENT;
  const op = struct.u16(8);
  if (op === OP.get) {
    struct.setU64(16, ioas.noLargePages ? 0n : 1n);
    return 0;
  }
  if (op !== OP.set) return -ERRNO.EOPNOTSUPP;
  const value = struct.u64(16);
  if (value > 1n) return -ERRNO.EINVAL;
  return ioas.setLargePages(value === 1n);
}

function option(call: IoctlCall): number {
  const { struct } = call;
  if (struct.u16(10) !== 0) return -ERRNO.EOPNOTSUPP;
  const id = struct.u32(4);
  if (id !== OPTION.rlimitMode && id !== OPTION.hugePages) return -ERRNO.EOPNOTSUPP;
  const ret = id === OPTION.rlimitMode ? rlimitMode(call) : hugePages(call);
  if (ret !== 0) return ret;
  const value = new StructView(new Uint8Array(8));
  value.setU64(0, struct.u64(16));
  return call.process.memory.write(call.argument + 16n, value.bytes) ? 0 : -ERRNO.EFAULT;
}

function vfioIoas(call: IoctlCall): number {
  const { context, struct } = call;
  if (struct.u16(10) !== 0) return -ERRNO.EOPNOTSUPP;
  switch (struct.u16(8)) {
    case 0: {
      if (context.compatIoas === undefined) return -ERRNO.ENODEV;
      struct.setU32(4, context.compatIoas.id);
      return call.respond();
    }
    case 1: {
      const ioas = context.objects.find(struct.u32(4), 'ioas');
      if (ioas === undefined) return -ERRNO.ENOENT;
      context.compatIoas = ioas;
      return 0;
    }
    case 2:
      context.compatIoas = undefined;
      return 0;
    default:
      return -ERRNO.EOPNOTSUPP;
  }
}

export const generalIoctls: readonly IoctlSpec[] = [
  { request: 0x3b80, name: 'IOMMU_DESTROY', minSize: 8, size: 8, handle: destroy },
  { request: 0x3b87, name: 'IOMMU_OPTION', minSize: 24, size: 24, handle: option },
  { request: 0x3b88, name: 'IOMMU_VFIO_IOAS', minSize: 12, size: 12, handle: vfioIoas },
];
