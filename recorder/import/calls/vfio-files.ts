/**
 * Which kind of file an ioctl of type 0x3b must have been made on, where a source names no fd. Requests 0x3b70 to 0x3b75 mean
 * one thing on a container and another on a device (include/uapi/linux/vfio.h); those that follow are a device's, or
 * a POWER container's, which is not modelled.
 */

/** Same words as `fileKind` gives for such files. */
export const VFIO_FILES = {
  iommufd: '/dev/iommu',
  container: '/dev/vfio/vfio',
  group: '/dev/vfio/0',
  device: 'anon_inode:[vfio-device]',
} as const;

/** `containerSeen`: a request that only containers have came before. Undefined for requests of other drivers. */
export function vfioFile(request: number, containerSeen: boolean): string | undefined {
  const nr = request & 0xff;
  if (request >>> 8 !== 0x3b || nr < 0x64) return undefined;
  if (nr >= 0x80) return VFIO_FILES.iommufd;
  if (isContainerOnly(request)) return VFIO_FILES.container;
  if (nr <= 0x6a) return VFIO_FILES.group;
  if (nr <= 0x6f) return VFIO_FILES.device;
  if (nr <= 0x75) return containerSeen ? VFIO_FILES.container : VFIO_FILES.device;
  return VFIO_FILES.device;
}

/** GET_API_VERSION, CHECK_EXTENSION, SET_IOMMU. */
export function isContainerOnly(request: number): boolean {
  return request >= 0x3b64 && request <= 0x3b66;
}
