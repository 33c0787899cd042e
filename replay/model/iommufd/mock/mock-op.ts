import type { IoctlCall, IoctlHandler } from '../ioctl.ts';

/** An operation of IOMMU_TEST_CMD: {0 size, 4 op, 8 id, 12 reserved, 16 union by op, 64 last}. */
export interface MockOp {
  readonly op: number;
  readonly name: string;
  readonly handle: IoctlHandler;
}

/** `id` of the struct: whose id depends on the op. */
export function idOf({ struct }: IoctlCall): number {
  return struct.u32(8);
}
