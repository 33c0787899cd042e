import { ERRNO } from '../errno.ts';
import type { IoctlCall, IoctlSpec } from '../ioctl.ts';
import { mockAccessOps } from './mock-access-ops.ts';
import { mockCheckOps } from './mock-check-ops.ts';
import { mockDeviceOps } from './mock-device-ops.ts';
import { mockDirtyOps } from './mock-dirty-op.ts';
import { mockDmabufOps } from './mock-dmabuf-ops.ts';
import { mockEventOps } from './mock-event-ops.ts';
import type { MockOp } from './mock-op.ts';

const OPS = new Map<number, MockOp>(
  [mockAccessOps, mockCheckOps, mockDeviceOps, mockDirtyOps, mockDmabufOps, mockEventOps]
    .flat()
    .map((op) => [op.op, op]),
);

function testCommand(call: IoctlCall): number {
  const op = OPS.get(call.struct.u32(4));
  return op === undefined ? -ERRNO.EOPNOTSUPP : op.handle(call);
}

export const mockIoctls: readonly IoctlSpec[] = [
  { request: 0x3ba0, name: 'IOMMU_TEST_CMD', minSize: 68, size: 72, handle: testCommand },
];
