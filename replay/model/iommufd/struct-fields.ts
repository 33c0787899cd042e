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
  0x3b73: ['VFIO_IOMMU_ENABLE', ''],
  0x3b74: ['VFIO_IOMMU_DISABLE', ''],
  0x3b75: ['VFIO_IOMMU_DIRTY_PAGES', '0:4 argsz, 4:4 flags'],
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
  0x3ba0: ['IOMMU_TEST_CMD', '4:4 op, 8:4 id'],
};

/** Operations of IOMMU_TEST_CMD by number: name, and the fields of its part of the union. */
const OPS: { readonly [op: number]: readonly [name: string, fields: string] } = {
  1: ['ADD_RESERVED', '16:8 start, 24:8 length'],
  2: ['MOCK_DOMAIN', '16:4 out_stdev_id, 20:4 out_hwpt_id, 24:4 out_idev_id'],
  3: ['MD_CHECK_MAP', '16:8 iova, 24:8 length, 32:8 uptr'],
  4: ['MD_CHECK_REFS', '16:8 length, 24:8 uptr, 32:4 refs'],
  5: ['CREATE_ACCESS', '16:4 out_access_fd, 20:4 flags'],
  6: ['DESTROY_ACCESS_PAGES', '16:4 access_pages_id'],
  7: ['ACCESS_PAGES', '16:4 flags, 20:4 out_access_pages_id, 24:8 iova, 32:8 length, 40:8 uptr'],
  8: ['ACCESS_RW', '16:8 iova, 24:8 length, 32:8 uptr, 40:4 flags'],
  9: ['SET_TEMP_MEMORY_LIMIT', '16:4 limit'],
  10: ['MOCK_DOMAIN_REPLACE', '16:4 pt_id'],
  11: ['ACCESS_REPLACE_IOAS', '16:4 ioas_id'],
  12: ['MOCK_DOMAIN_FLAGS', '16:4 out_stdev_id, 20:4 out_hwpt_id, 24:4 out_idev_id, 28:4 dev_flags'],
  13: ['DIRTY', '16:4 flags, 24:8 iova, 32:8 length, 40:8 page_size, 48:8 uptr, 56:8 out_nr_dirty'],
  14: ['MD_CHECK_IOTLB', '16:4 id, 20:4 iotlb'],
  15: ['TRIGGER_IOPF', '16:4 dev_id, 20:4 pasid, 24:4 grpid, 28:4 perm, 32:8 addr'],
  16: ['DEV_CHECK_CACHE', '16:4 id, 20:4 cache'],
  17: ['TRIGGER_VEVENT', '16:4 dev_id'],
  18: ['PASID_ATTACH', '16:4 pasid, 20:4 pt_id'],
  19: ['PASID_REPLACE', '16:4 pasid, 20:4 pt_id'],
  20: ['PASID_DETACH', '16:4 pasid'],
  21: ['PASID_CHECK_HWPT', '16:4 pasid, 20:4 hwpt_id'],
  22: ['DMABUF_GET', '16:4 length, 20:4 open_flags'],
  23: ['DMABUF_REVOKE', '16:4 dmabuf_fd, 20:4 revoked'],
};

/** `IOMMU_IOAS_MAP`; for the mock driver's command `IOMMU_TEST_CMD ACCESS_RW`; `0x3b99` for a request that nobody knows. */
export function ioctlName(request: number, struct?: Uint8Array): string {
  const name = LAYOUTS[request]?.[0] ?? `0x${request.toString(16)}`;
  if (request !== 0x3ba0 || struct === undefined) return name;
  const op = new StructView(struct).u32(4);
  return `${name} ${OPS[op]?.[0] ?? op}`;
}

/** The field at a byte of a call's struct. */
export function structField(request: number, struct: Uint8Array, at: number): StructField {
  const fields = [LAYOUTS[request]?.[1] ?? ''];
  if (request === 0x3ba0) fields.push(OPS[new StructView(struct).u32(4)]?.[1] ?? '');
  for (const text of fields.join(', ').split(', ')) {
    const match = /^(\d+):(\d+) (\w+)$/.exec(text);
    if (match === null) continue;
    const offset = Number(match[1]);
    const length = Number(match[2]);
    if (at >= offset && at < offset + length) return { name: match[3] ?? '', offset, length };
  }
  return { name: `byte ${at & ~3}`, offset: at & ~3, length: 4 };
}
