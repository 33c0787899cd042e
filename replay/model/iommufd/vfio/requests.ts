/** VFIO request numbers (include/uapi/linux/vfio.h). Several mean different things on different kinds of fd. */
export const VFIO = {
  getApiVersion: 0x3b64,
  checkExtension: 0x3b65,
  setIommu: 0x3b66,
  groupGetStatus: 0x3b67,
  groupSetContainer: 0x3b68,
  groupUnsetContainer: 0x3b69,
  groupGetDeviceFd: 0x3b6a,
  deviceGetInfo: 0x3b6b,
  deviceGetIrqInfo: 0x3b6d,
  iommuGetInfo: 0x3b70,
  iommuMapDma: 0x3b71,
  iommuUnmapDma: 0x3b72,
  iommuDirtyPages: 0x3b75,
  bindIommufd: 0x3b76,
  attachIommufdPt: 0x3b77,
  detachIommufdPt: 0x3b78,
} as const;

/** Kinds of IOMMU (VFIO_SET_IOMMU) and extensions (VFIO_CHECK_EXTENSION). */
export const EXTENSION = {
  type1: 1,
  type1v2: 3,
  dmaCc: 4,
  nesting: 6,
  noIommu: 8,
  unmapAll: 9,
  updateVaddr: 10,
} as const;

/** Requests that mean the same on any file, or have one file that they make sense on. */
const NAMES: Readonly<Record<number, string>> = {
  0x3b64: 'VFIO_GET_API_VERSION',
  0x3b65: 'VFIO_CHECK_EXTENSION',
  0x3b66: 'VFIO_SET_IOMMU',
  0x3b67: 'VFIO_GROUP_GET_STATUS',
  0x3b68: 'VFIO_GROUP_SET_CONTAINER',
  0x3b69: 'VFIO_GROUP_UNSET_CONTAINER',
  0x3b6a: 'VFIO_GROUP_GET_DEVICE_FD',
  0x3b6b: 'VFIO_DEVICE_GET_INFO',
  0x3b6c: 'VFIO_DEVICE_GET_REGION_INFO',
  0x3b6d: 'VFIO_DEVICE_GET_IRQ_INFO',
  0x3b6e: 'VFIO_DEVICE_SET_IRQS',
  0x3b6f: 'VFIO_DEVICE_RESET',
};

const DEVICE_NAMES: Readonly<Record<number, string>> = {
  0x3b70: 'VFIO_DEVICE_GET_PCI_HOT_RESET_INFO',
  0x3b71: 'VFIO_DEVICE_PCI_HOT_RESET',
  0x3b72: 'VFIO_DEVICE_QUERY_GFX_PLANE',
  0x3b73: 'VFIO_DEVICE_GET_GFX_DMABUF',
  0x3b74: 'VFIO_DEVICE_IOEVENTFD',
  0x3b75: 'VFIO_DEVICE_FEATURE',
  0x3b76: 'VFIO_DEVICE_BIND_IOMMUFD',
  0x3b77: 'VFIO_DEVICE_ATTACH_IOMMUFD_PT',
  0x3b78: 'VFIO_DEVICE_DETACH_IOMMUFD_PT',
};

/** From ENABLE on these are calls of POWER's sPAPR containers, which are not modelled; TYPE1 has one of its own at 0x3b75. */
const CONTAINER_NAMES: Readonly<Record<number, string>> = {
  0x3b70: 'VFIO_IOMMU_GET_INFO',
  0x3b71: 'VFIO_IOMMU_MAP_DMA',
  0x3b72: 'VFIO_IOMMU_UNMAP_DMA',
  0x3b73: 'VFIO_IOMMU_ENABLE (sPAPR, unsupported)',
  0x3b74: 'VFIO_IOMMU_DISABLE (sPAPR, unsupported)',
  0x3b75: 'VFIO_IOMMU_DIRTY_PAGES',
  0x3b76: 'VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY (unsupported)',
  0x3b77: 'VFIO_IOMMU_SPAPR_TCE_CREATE (unsupported)',
  0x3b78: 'VFIO_IOMMU_SPAPR_TCE_REMOVE (unsupported)',
  0x3b79: 'VFIO_EEH_PE_OP (sPAPR, unsupported)',
};

/** The call's name, which depends on the kind of file from 0x3b70 on; undefined where it has none. */
export function vfioCallName(onDevice: boolean, request: number): string | undefined {
  return NAMES[request] ?? (onDevice ? DEVICE_NAMES : CONTAINER_NAMES)[request];
}
