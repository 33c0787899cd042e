import { StructView } from './struct-view.ts';

/** A field of a struct: where it is. */
export interface StructField {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

/** `offset:bytes name` of what the requests of /dev/iommu write or are asked for. */
const LAYOUTS: { readonly [request: number]: string } = {
  0x3b70: '0:4 argsz, 4:4 flags, 8:8 iova_pgsizes, 16:4 cap_offset, 20:4 pad',
  0x3b71: '0:4 argsz, 4:4 flags, 8:8 vaddr, 16:8 iova, 24:8 size',
  0x3b72: '0:4 argsz, 4:4 flags, 8:8 iova, 16:8 size',
  0x3b75: '0:4 argsz, 4:4 flags',
  0x3b80: '4:4 id',
  0x3b81: '4:4 flags, 8:4 out_ioas_id',
  0x3b82: '4:4 ioas_id, 8:4 num_iovas, 16:8 allowed_iovas',
  0x3b83: '4:4 flags, 8:4 dst_ioas_id, 12:4 src_ioas_id, 16:8 length, 24:8 dst_iova, 32:8 src_iova',
  0x3b84: '4:4 ioas_id, 8:4 num_iovas, 16:8 allowed_iovas, 24:8 out_iova_alignment',
  0x3b85: '4:4 flags, 8:4 ioas_id, 16:8 user_va, 24:8 length, 32:8 iova',
  0x3b86: '4:4 ioas_id, 8:8 iova, 16:8 length',
  0x3b87: '4:4 option_id, 8:2 op, 12:4 object_id, 16:8 val64',
  0x3b88: '4:4 ioas_id, 8:2 op',
  0x3b89:
    '4:4 flags, 8:4 dev_id, 12:4 pt_id, 16:4 out_hwpt_id, 24:4 data_type, 28:4 data_len, 32:8 data_uptr, 40:4 fault_id',
  0x3b8a:
    '4:4 flags, 8:4 dev_id, 12:4 data_len, 16:8 data_uptr, 24:4 out_data_type, 28:1 out_max_pasid_log2, 32:8 out_capabilities',
  0x3b8b: '4:4 flags, 8:4 hwpt_id',
  0x3b8c: '4:4 hwpt_id, 8:4 flags, 16:8 iova, 24:8 length, 32:8 page_size, 40:8 data',
  0x3b8d: '4:4 hwpt_id, 8:8 data_uptr, 16:4 data_type, 20:4 entry_len, 24:4 entry_num',
  0x3b8e: '4:4 flags, 8:4 out_fault_id, 12:4 out_fault_fd',
  0x3b8f: '4:4 flags, 8:4 ioas_id, 12:4 fd, 16:8 start, 24:8 length, 32:8 iova',
  0x3b90: '4:4 flags, 8:4 type, 12:4 dev_id, 16:4 hwpt_id, 20:4 out_viommu_id, 24:4 data_len, 32:8 data_uptr',
  0x3b91: '4:4 viommu_id, 8:4 dev_id, 12:4 out_vdevice_id, 16:8 virt_id',
  0x3b93: '4:4 flags, 8:4 viommu_id, 12:4 type, 16:4 veventq_depth, 20:4 out_veventq_id, 24:4 out_veventq_fd',
  0x3b94:
    '4:4 flags, 8:4 viommu_id, 12:4 type, 16:4 index, 20:4 out_hw_queue_id, 24:8 nesting_parent_iova, 32:8 length',
  0x3ba0: '4:4 op, 8:4 id',
};

/** Operations of IOMMU_TEST_CMD by number: the fields of its part of the union. */
const OPS: { readonly [op: number]: string } = {
  1: '16:8 start, 24:8 length',
  2: '16:4 out_stdev_id, 20:4 out_hwpt_id, 24:4 out_idev_id',
  3: '16:8 iova, 24:8 length, 32:8 uptr',
  4: '16:8 length, 24:8 uptr, 32:4 refs',
  5: '16:4 out_access_fd, 20:4 flags',
  6: '16:4 access_pages_id',
  7: '16:4 flags, 20:4 out_access_pages_id, 24:8 iova, 32:8 length, 40:8 uptr',
  8: '16:8 iova, 24:8 length, 32:8 uptr, 40:4 flags',
  9: '16:4 limit',
  10: '16:4 pt_id',
  11: '16:4 ioas_id',
  12: '16:4 out_stdev_id, 20:4 out_hwpt_id, 24:4 out_idev_id, 28:4 dev_flags',
  13: '16:4 flags, 24:8 iova, 32:8 length, 40:8 page_size, 48:8 uptr, 56:8 out_nr_dirty',
  14: '16:4 id, 20:4 iotlb',
  15: '16:4 dev_id, 20:4 pasid, 24:4 grpid, 28:4 perm, 32:8 addr',
  16: '16:4 id, 20:4 cache',
  17: '16:4 dev_id',
  18: '16:4 pasid, 20:4 pt_id',
  19: '16:4 pasid, 20:4 pt_id',
  20: '16:4 pasid',
  21: '16:4 pasid, 20:4 hwpt_id',
  22: '16:4 length, 20:4 open_flags',
  23: '16:4 dmabuf_fd, 20:4 revoked',
};

/** All fields of a call's struct; undefined for a request that is not listed, or an operation of the mock driver. */
export function structFields(request: number, struct: Uint8Array): readonly StructField[] | undefined {
  const texts = [LAYOUTS[request]];
  if (request === 0x3ba0) texts.push(OPS[new StructView(struct).u32(4)]);
  const fields: StructField[] = [];
  for (const text of texts) {
    if (text === undefined) return undefined;
    for (const [, offset, length, name = ''] of text.matchAll(/(\d+):(\d+) (\w+)/g)) {
      fields.push({ name, offset: Number(offset), length: Number(length) });
    }
  }
  return fields;
}

/** The field at a byte of a call's struct. */
export function structField(request: number, struct: Uint8Array, at: number): StructField {
  const field = structFields(request, struct)?.find(({ offset, length }) => at >= offset && at < offset + length);
  return field ?? { name: `byte ${at & ~3}`, offset: at & ~3, length: 4 };
}
