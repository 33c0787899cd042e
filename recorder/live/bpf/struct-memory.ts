/** Where the structs of ioctls point to: what is read with them (include/uapi/linux/iommufd.h, vfio.h). */

export interface PointerField {
  /** Low byte of the request, of type 0x3b. */
  readonly nr: number;
  readonly field: string;
  /** Where the pointer lies in the struct. */
  readonly offset: number;
  /** Bytes that it points to, in bpftrace's language; `u32(N)` and `u64(N)` are the struct's numbers at N. */
  readonly length: string;
  /** Which structs of that number have the pointer at all, where not all do; same language. */
  readonly only?: string;
  /**
   * Who writes there. `user`: the kernel only reads it, so that what it holds when the call returns is what it held before;
   * that is read where it was not in memory when the call came. `kernel`: it writes, whether it reads as well or not.
   */
  readonly written: 'user' | 'kernel';
}

/** VFIO_DEVICE_FEATURE and VFIO_IOMMU_DIRTY_PAGES have one number; their flags never look alike. */
const FEATURE_GET = 0x10000;
const FEATURE_SET = 0x20000;
const LOGGING_START = 6;
const LOGGING_REPORT = 8;
const GET_BITMAP = 4;

/** One bit a page, in whole bytes; a page size of 0 is refused, and what BPF divides by 0 is 0. */
const BITMAP_BYTES = '(u64(24) / u64(32) + 7) / 8';

/** Operations of the mock driver (drivers/iommu/iommufd/iommufd_test.h). */
const ACCESS_RW = 'u32(4) == 8';
const MOCK_DIRTY = 'u32(4) == 13';

export const POINTER_FIELDS: readonly PointerField[] = [
  { nr: 0x82, field: 'allowed_iovas', offset: 16, length: 'u32(8) * 16', written: 'user' },
  { nr: 0x84, field: 'allowed_iovas', offset: 16, length: 'u32(8) * 16', written: 'kernel' },
  { nr: 0x89, field: 'data_uptr', offset: 32, length: 'u32(28)', written: 'user' },
  { nr: 0x8a, field: 'data_uptr', offset: 16, length: 'u32(12)', written: 'kernel' },
  { nr: 0x8c, field: 'data', offset: 40, length: BITMAP_BYTES, written: 'kernel' },
  { nr: 0x8d, field: 'data_uptr', offset: 8, length: 'u32(20) * u32(24)', written: 'user' },
  { nr: 0x90, field: 'data_uptr', offset: 32, length: 'u32(24)', written: 'kernel' },
  // VFIO_IOMMU_UNMAP_DMA with VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP, VFIO_IOMMU_DIRTY_PAGES: struct vfio_bitmap.
  { nr: 0x72, field: 'bitmap', offset: 40, length: 'u64(32)', only: '(u32(4) & 1) == 1', written: 'kernel' },
  { nr: 0x75, field: 'bitmap', offset: 40, length: 'u64(32)', only: `u32(4) == ${GET_BITMAP}`, written: 'kernel' },
  {
    nr: 0x75,
    field: 'ranges',
    offset: 24,
    length: 'u32(16) * 16',
    only: `u32(4) == ${FEATURE_SET | LOGGING_START}`,
    written: 'user',
  },
  {
    nr: 0x75,
    field: 'bitmap',
    offset: 32,
    length: '(u64(16) / u64(24) + 7) / 8',
    only: `u32(4) == ${FEATURE_GET | LOGGING_REPORT}`,
    written: 'kernel',
  },
  // IOMMU_TEST_CMD: what an access reads goes to user memory, what it writes comes from there; pages that become dirty, a bit each.
  {
    nr: 0xa0,
    field: 'access_rw.uptr',
    offset: 32,
    length: 'u64(24)',
    only: `${ACCESS_RW} && (u32(40) & 1) == 0`,
    written: 'kernel',
  },
  {
    nr: 0xa0,
    field: 'access_rw.uptr',
    offset: 32,
    length: 'u64(24)',
    only: `${ACCESS_RW} && (u32(40) & 1) == 1`,
    written: 'user',
  },
  {
    nr: 0xa0,
    field: 'dirty.uptr',
    offset: 48,
    length: 'u64(32) / u64(40) / 8',
    only: MOCK_DIRTY,
    written: 'user',
  },
];

/** Type of the ioctls of IOMMUFD and VFIO (`;`), and of vhost. */
export const VFIO_TYPE = 0x3b;
export const VHOST_TYPE = 0xaf;

/**
 * Requests of type 0x3b whose argument is no struct that begins with its own size, and what is read of it: nothing of numbers
 * (CHECK_EXTENSION, SET_IOMMU); an fd (SET_CONTAINER); a name, `0000:01:00.0 vf_token=...`, which the reader cuts at its end
 * (GET_DEVICE_FD).
 */
export const NO_STRUCT: readonly { readonly nr: number; readonly bytes: number }[] = [
  ...[0x64, 0x65, 0x66, 0x69, 0x6f].map((nr) => ({ nr, bytes: 0 })),
  { nr: 0x68, bytes: 4 },
  { nr: 0x6a, bytes: 64 },
];

/** Its result is the fd of a device. */
export const GET_DEVICE_FD = 0x3b6a;

/** VHOST_SET_MEM_TABLE: its number tells the size of the head (u32 regions, u32 padding), regions of 32 bytes follow. */
export const SET_MEM_TABLE = 0x4008_af03;

/**
 * Calls that make a queue of faults or events, where the struct has the new fd, and what such a file is (drivers/iommu/iommufd/
 * eventq.c); and the mock driver's CREATE_ACCESS, as closing its fd ends the access.
 */
export const QUEUE_FDS: readonly {
  readonly nr: number;
  readonly offset: number;
  readonly only?: string;
  readonly kind?: string;
}[] = [
  { nr: 0x8e, offset: 12, kind: 'anon_inode:[iommufd-pgfault]' },
  { nr: 0x93, offset: 24, kind: 'anon_inode:[iommufd-viommu-event]' },
  { nr: 0xa0, offset: 16, only: 'u32(4) == 5' },
];
