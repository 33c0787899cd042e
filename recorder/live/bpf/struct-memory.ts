/** Where the structs of ioctls point to: what is read with them (include/uapi/linux/iommufd.h). */

export interface PointerField {
  /** Low byte of the request, of type 0x3b. */
  readonly nr: number;
  readonly field: string;
  /** Where the pointer lies in the struct. */
  readonly offset: number;
  /** Bytes that it points to, in bpftrace's language; `u32(N)` and `u64(N)` are the struct's numbers at N. */
  readonly length: string;
  /** When there is something to see: what user space gave, what the kernel wrote. */
  readonly when: readonly ('before' | 'after')[];
}

export const POINTER_FIELDS: readonly PointerField[] = [
  { nr: 0x82, field: 'allowed_iovas', offset: 16, length: 'u32(8) * 16', when: ['before'] },
  { nr: 0x84, field: 'allowed_iovas', offset: 16, length: 'u32(8) * 16', when: ['after'] },
  { nr: 0x89, field: 'data_uptr', offset: 32, length: 'u32(28)', when: ['before'] },
  { nr: 0x8a, field: 'data_uptr', offset: 16, length: 'u32(12)', when: ['after'] },
  // One bit a page, in whole bytes; a page size of 0 is refused.
  { nr: 0x8c, field: 'data', offset: 40, length: '(u64(24) / (u64(32) | 1) + 7) / 8', when: ['after'] },
  { nr: 0x8d, field: 'data_uptr', offset: 8, length: 'u32(20) * u32(24)', when: ['before'] },
  { nr: 0x90, field: 'data_uptr', offset: 32, length: 'u32(24)', when: ['before', 'after'] },
];

/** Type of the ioctls of IOMMUFD and VFIO (`;`), and of vhost. */
export const VFIO_TYPE = 0x3b;
export const VHOST_TYPE = 0xaf;

/**
 * Requests of type 0x3b whose argument is no struct that begins with its own size: numbers (CHECK_EXTENSION, SET_IOMMU), a
 * pointer to an fd (SET_CONTAINER), a name (GET_DEVICE_FD), nothing at all.
 */
export const NO_STRUCT: readonly number[] = [0x64, 0x65, 0x66, 0x68, 0x69, 0x6a, 0x6f];
