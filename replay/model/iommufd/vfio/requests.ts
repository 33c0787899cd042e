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
  deviceGetRegionInfo: 0x3b6c,
  deviceGetIrqInfo: 0x3b6d,
  deviceReset: 0x3b6f,
  iommuGetInfo: 0x3b70,
  iommuMapDma: 0x3b71,
  devicePciHotReset: 0x3b71,
  iommuUnmapDma: 0x3b72,
  iommuDirtyPages: 0x3b75,
  deviceFeature: 0x3b75,
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
