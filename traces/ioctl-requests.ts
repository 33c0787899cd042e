/** Names of the ioctls of IOMMUFD and VFIO (include/uapi/linux/iommufd.h, vfio.h; the mock driver's iommufd_test.h). */

/** From 0x3b64 on; where a number has several meanings, that of a container. */
const VFIO = (
  'VFIO_GET_API_VERSION VFIO_CHECK_EXTENSION VFIO_SET_IOMMU VFIO_GROUP_GET_STATUS VFIO_GROUP_SET_CONTAINER ' +
  'VFIO_GROUP_UNSET_CONTAINER VFIO_GROUP_GET_DEVICE_FD VFIO_DEVICE_GET_INFO VFIO_DEVICE_GET_REGION_INFO ' +
  'VFIO_DEVICE_GET_IRQ_INFO VFIO_DEVICE_SET_IRQS VFIO_DEVICE_RESET VFIO_IOMMU_GET_INFO VFIO_IOMMU_MAP_DMA ' +
  'VFIO_IOMMU_UNMAP_DMA VFIO_IOMMU_ENABLE VFIO_IOMMU_DISABLE VFIO_IOMMU_DIRTY_PAGES'
).split(' ');
/** From 0x3b70 on, of a device. */
const VFIO_DEVICE = (
  'GET_PCI_HOT_RESET_INFO PCI_HOT_RESET QUERY_GFX_PLANE GET_GFX_DMABUF IOEVENTFD FEATURE BIND_IOMMUFD ' +
  'ATTACH_IOMMUFD_PT DETACH_IOMMUFD_PT'
)
  .split(' ')
  .map((name) => `VFIO_DEVICE_${name}`);
/** From 0x3b80 on. */
const IOMMU = (
  'DESTROY IOAS_ALLOC IOAS_ALLOW_IOVAS IOAS_COPY IOAS_IOVA_RANGES IOAS_MAP IOAS_UNMAP OPTION VFIO_IOAS HWPT_ALLOC ' +
  'GET_HW_INFO HWPT_SET_DIRTY_TRACKING HWPT_GET_DIRTY_BITMAP HWPT_INVALIDATE FAULT_QUEUE_ALLOC IOAS_MAP_FILE ' +
  'VIOMMU_ALLOC VDEVICE_ALLOC IOAS_CHANGE_PROCESS VEVENTQ_ALLOC HW_QUEUE_ALLOC'
)
  .split(' ')
  .map((name) => `IOMMU_${name}`);
/** `op` of IOMMU_TEST_CMD, from 1 on. */
const TEST_OPS = (
  'ADD_RESERVED MOCK_DOMAIN MD_CHECK_MAP MD_CHECK_REFS CREATE_ACCESS DESTROY_ACCESS_PAGES ACCESS_PAGES ACCESS_RW ' +
  'SET_TEMP_MEMORY_LIMIT MOCK_DOMAIN_REPLACE ACCESS_REPLACE_IOAS MOCK_DOMAIN_FLAGS DIRTY MD_CHECK_IOTLB TRIGGER_IOPF ' +
  'DEV_CHECK_CACHE TRIGGER_VEVENT PASID_ATTACH PASID_REPLACE PASID_DETACH PASID_CHECK_HWPT DMABUF_GET DMABUF_REVOKE'
).split(' ');
const TEST_CMD = 0x3ba0;

const NUMBERS: ReadonlyMap<string, number> = new Map([
  ...VFIO.map((name, i) => [name, 0x3b64 + i] as const),
  ...VFIO_DEVICE.map((name, i) => [name, 0x3b70 + i] as const),
  ...IOMMU.map((name, i) => [name, 0x3b80 + i] as const),
  ['IOMMU_TEST_CMD', TEST_CMD],
]);

/** 0x3b85 for `IOMMU_IOAS_MAP`. */
export function ioctlNumber(name: string): number | undefined {
  return NUMBERS.get(name);
}

/** Calls of POWER's containers, by request; they are named, and nothing else is known of them. */
const SPAPR: ReadonlyMap<number, string> = new Map([
  [0x3b73, 'VFIO_IOMMU_ENABLE (sPAPR, unsupported)'],
  [0x3b74, 'VFIO_IOMMU_DISABLE (sPAPR, unsupported)'],
  [0x3b76, 'VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY (unsupported)'],
  [0x3b77, 'VFIO_IOMMU_SPAPR_TCE_CREATE (unsupported)'],
  [0x3b78, 'VFIO_IOMMU_SPAPR_TCE_REMOVE (unsupported)'],
  [0x3b79, 'VFIO_EEH_PE_OP (sPAPR, unsupported)'],
]);
const CONTAINER = '/dev/vfio/vfio';
/** As the kernel names the file of a fault queue (drivers/iommu/iommufd/eventq.c). */
export const FAULT_QUEUE_FILE = 'anon_inode:[iommufd-pgfault]';

/** What an open VFIO device is called where it was not opened by its node. */
export const VFIO_DEVICE_FILE = 'anon_inode:[vfio-device]';

/** Whether a kind of file, as the `path` column has it, is an open VFIO device. */
export function isVfioDevice(file: string | undefined): boolean {
  return file === VFIO_DEVICE_FILE || file?.startsWith('/dev/vfio/devices/') === true;
}

/**
 * `IOMMU_IOAS_MAP` for 0x3b85. Requests from 0x3b70 on mean one thing on a container (or an IOMMUFD that stands in for one) and
 * another on a device: `file` is the kind of file, as the `path` column has it. Of the mock driver's command also the
 * operation, where `struct` (the call's bytes) is known: `IOMMU_TEST_CMD ACCESS_RW`. `0x5401` for other drivers'.
 */
export function ioctlName(request: number, file?: string, struct?: Uint8Array): string {
  const number = request >>> 0;
  if (number === TEST_CMD) {
    if (struct === undefined || struct.length < 8) return 'IOMMU_TEST_CMD';
    return `IOMMU_TEST_CMD ${testOpName(new DataView(struct.buffer, struct.byteOffset, struct.byteLength).getUint32(4, true))}`;
  }
  const spapr = file === CONTAINER ? SPAPR.get(number) : undefined;
  if (spapr !== undefined) return spapr;
  const names = [
    isVfioDevice(file) || number >= 0x3b76 ? VFIO_DEVICE[number - 0x3b70] : undefined,
    VFIO[number - 0x3b64],
  ];
  const name = names.find((known) => known !== undefined) ?? IOMMU[number - 0x3b80];
  return name ?? `0x${number.toString(16)}`;
}

/** `MOCK_DOMAIN` for the second operation of IOMMU_TEST_CMD; its number for one that is not known. */
export function testOpName(op: number): string {
  return TEST_OPS[op - 1] ?? String(op);
}
