import { ioctlNumber } from '../../traces/ioctl-requests.ts';

/** What the time of a call grows with, and where its struct says how much (include/uapi/linux/iommufd.h, vfio.h). */
export interface IoctlSize {
  /** Byte offset in the struct, and bytes of the field. */
  readonly offset: number;
  readonly bytes: 4 | 8;
  /** What one unit is: `page` for 4 KiB of a length in bytes. */
  readonly unit: 'page' | 'command';
}

const FIELDS: readonly (readonly [request: string, size: IoctlSize])[] = [
  ['IOMMU_IOAS_MAP', { offset: 24, bytes: 8, unit: 'page' }],
  ['IOMMU_IOAS_MAP_FILE', { offset: 24, bytes: 8, unit: 'page' }],
  ['IOMMU_IOAS_COPY', { offset: 16, bytes: 8, unit: 'page' }],
  ['IOMMU_IOAS_UNMAP', { offset: 16, bytes: 8, unit: 'page' }],
  ['IOMMU_HWPT_GET_DIRTY_BITMAP', { offset: 24, bytes: 8, unit: 'page' }],
  ['IOMMU_HWPT_INVALIDATE', { offset: 24, bytes: 4, unit: 'command' }],
  ['VFIO_IOMMU_MAP_DMA', { offset: 24, bytes: 8, unit: 'page' }],
  ['VFIO_IOMMU_UNMAP_DMA', { offset: 16, bytes: 8, unit: 'page' }],
];

const SIZES: ReadonlyMap<number, IoctlSize> = new Map(
  FIELDS.flatMap(([request, size]) => {
    const number = ioctlNumber(request);
    return number === undefined ? [] : [[number, size] as const];
  }),
);

export function ioctlSize(request: number): IoctlSize | undefined {
  return SIZES.get(request);
}

/** Size of a call from its struct; -1 where the struct is too short, or says "everything". Pages are rounded up. */
export function sizeOf(size: IoctlSize, struct: Uint8Array): number {
  const { offset, bytes, unit } = size;
  if (struct.length < offset + bytes) return -1;
  const view = new DataView(struct.buffer, struct.byteOffset, struct.byteLength);
  const low = view.getUint32(offset, true);
  const high = bytes === 8 ? view.getUint32(offset + 4, true) : 0;
  // 2^53 bytes and more are no length that anything was done for
  if (high >= 0x20_0000) return -1;
  const value = high * 0x1_0000_0000 + low;
  return unit === 'page' ? Math.ceil(value / 4096) : value;
}
