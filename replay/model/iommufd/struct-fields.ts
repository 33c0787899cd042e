import { StructView } from './struct-view.ts';

/** A field of a struct: where it is. */
export interface StructField {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

/** Names of the requests of /dev/iommu, and `offset:bytes name` of what each writes or is asked for. */
const LAYOUTS: { readonly [request: number]: readonly [name: string, fields: string] } = {
  0x3b64: ['VFIO_GET_API_VERSION', ''],
  0x3b65: ['VFIO_CHECK_EXTENSION', ''],
  0x3b66: ['VFIO_SET_IOMMU', ''],
  0x3b70: ['VFIO_IOMMU_GET_INFO', '0:4 argsz, 4:4 flags, 8:8 iova_pgsizes, 16:4 cap_offset, 20:4 pad'],
  0x3b71: ['VFIO_IOMMU_MAP_DMA', '0:4 argsz, 4:4 flags, 8:8 vaddr, 16:8 iova, 24:8 size'],
  0x3b72: ['VFIO_IOMMU_UNMAP_DMA', '0:4 argsz, 4:4 flags, 8:8 iova, 16:8 size'],
  0x3b80: ['IOMMU_DESTROY', '4:4 id'],
  0x3b81: ['IOMMU_IOAS_ALLOC', '4:4 flags, 8:4 out_ioas_id'],
  0x3b82: ['IOMMU_IOAS_ALLOW_IOVAS', '4:4 ioas_id, 8:4 num_iovas, 16:8 allowed_iovas'],
  0x3b83: [
    'IOMMU_IOAS_COPY',
    '4:4 flags, 8:4 dst_ioas_id, 12:4 src_ioas_id, 16:8 length, 24:8 dst_iova, 32:8 src_iova',
  ],
  0x3b84: ['IOMMU_IOAS_IOVA_RANGES', '4:4 ioas_id, 8:4 num_iovas, 16:8 allowed_iovas, 24:8 out_iova_alignment'],
  0x3b85: ['IOMMU_IOAS_MAP', '4:4 flags, 8:4 ioas_id, 16:8 user_va, 24:8 length, 32:8 iova'],
  0x3b86: ['IOMMU_IOAS_UNMAP', '4:4 ioas_id, 8:8 iova, 16:8 length'],
  0x3b87: ['IOMMU_OPTION', '4:4 option_id, 8:2 op, 12:4 object_id, 16:8 val64'],
  0x3b88: ['IOMMU_VFIO_IOAS', '4:4 ioas_id, 8:2 op'],
  0x3b89: [
    'IOMMU_HWPT_ALLOC',
    '4:4 flags, 8:4 dev_id, 12:4 pt_id, 16:4 out_hwpt_id, 24:4 data_type, 28:4 data_len, 32:8 data_uptr, 40:4 fault_id',
  ],
  0x3b8a: [
    'IOMMU_GET_HW_INFO',
    '4:4 flags, 8:4 dev_id, 12:4 data_len, 16:8 data_uptr, 24:4 out_data_type, 28:1 out_max_pasid_log2, 32:8 out_capabilities',
  ],
  0x3b8b: ['IOMMU_HWPT_SET_DIRTY_TRACKING', '4:4 flags, 8:4 hwpt_id'],
  0x3b8c: ['IOMMU_HWPT_GET_DIRTY_BITMAP', '4:4 hwpt_id, 8:4 flags, 16:8 iova, 24:8 length, 32:8 page_size, 40:8 data'],
  0x3b8d: ['IOMMU_HWPT_INVALIDATE', '4:4 hwpt_id, 8:8 data_uptr, 16:4 data_type, 20:4 entry_len, 24:4 entry_num'],
  0x3b8e: ['IOMMU_FAULT_QUEUE_ALLOC', '4:4 flags, 8:4 out_fault_id, 12:4 out_fault_fd'],
  0x3b8f: ['IOMMU_IOAS_MAP_FILE', '4:4 flags, 8:4 ioas_id, 12:4 fd, 16:8 start, 24:8 length, 32:8 iova'],
  0x3b90: [
    'IOMMU_VIOMMU_ALLOC',
    '4:4 flags, 8:4 type, 12:4 dev_id, 16:4 hwpt_id, 20:4 out_viommu_id, 24:4 data_len, 32:8 data_uptr',
  ],
  0x3b91: ['IOMMU_VDEVICE_ALLOC', '4:4 viommu_id, 8:4 dev_id, 12:4 out_vdevice_id, 16:8 virt_id'],
  0x3b92: ['IOMMU_IOAS_CHANGE_PROCESS', ''],
  0x3b93: [
    'IOMMU_VEVENTQ_ALLOC',
    '4:4 flags, 8:4 viommu_id, 12:4 type, 16:4 veventq_depth, 20:4 out_veventq_id, 24:4 out_veventq_fd',
  ],
  0x3b94: [
    'IOMMU_HW_QUEUE_ALLOC',
    '4:4 flags, 8:4 viommu_id, 12:4 type, 16:4 index, 20:4 out_hw_queue_id, 24:8 nesting_parent_iova, 32:8 length',
  ],
  0x3ba0: [
    'IOMMU_TEST_CMD',
    '4:4 op, 8:4 id, 16:4 u16, 20:4 u20, 24:4 u24, 28:4 u28, 32:8 u32, 40:8 u40, 48:8 u48, 56:8 u56',
  ],
};

/** Operations of IOMMU_TEST_CMD by number. */
const OPS = [
  '',
  'ADD_RESERVED',
  'MOCK_DOMAIN',
  'MD_CHECK_MAP',
  'MD_CHECK_REFS',
  'CREATE_ACCESS',
  'DESTROY_ACCESS_PAGES',
  'ACCESS_PAGES',
  'ACCESS_RW',
  'SET_TEMP_MEMORY_LIMIT',
  'MOCK_DOMAIN_REPLACE',
  'ACCESS_REPLACE_IOAS',
  'MOCK_DOMAIN_FLAGS',
  'DIRTY',
  'MD_CHECK_IOTLB',
  'TRIGGER_IOPF',
  'DEV_CHECK_CACHE',
  'TRIGGER_VEVENT',
  'PASID_ATTACH',
  'PASID_REPLACE',
  'PASID_DETACH',
  'PASID_CHECK_HWPT',
  'DMABUF_GET',
  'DMABUF_REVOKE',
];

/** `IOMMU_IOAS_MAP`; for the mock driver's command `IOMMU_TEST_CMD ACCESS_RW`; `0x3b99` for a request that nobody knows. */
export function ioctlName(request: number, struct?: Uint8Array): string {
  const name = LAYOUTS[request]?.[0] ?? `0x${request.toString(16)}`;
  if (request !== 0x3ba0 || struct === undefined) return name;
  const op = new StructView(struct).u32(4);
  return `${name} ${OPS[op] ?? op}`;
}

/** The field at a byte of a call's struct. */
export function structField(request: number, _struct: Uint8Array, at: number): StructField {
  for (const text of (LAYOUTS[request]?.[1] ?? '').split(', ')) {
    const match = /^(\d+):(\d+) (\w+)$/.exec(text);
    if (match === null) continue;
    const offset = Number(match[1]);
    const length = Number(match[2]);
    if (at >= offset && at < offset + length) return { name: match[3] ?? '', offset, length };
  }
  return { name: `byte ${at & ~3}`, offset: at & ~3, length: 4 };
}
