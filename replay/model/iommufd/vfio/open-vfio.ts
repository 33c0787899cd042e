import { VfioContainer } from './container.ts';
import { VfioDevice } from './device.ts';
import { VfioGroup } from './group.ts';
import type { VfioFile } from './vfio-file.ts';

/** `/dev/vfio/7`, `/dev/vfio/noiommu-0`. */
const GROUP = /^\/dev\/vfio\/(?:noiommu-)?\d+$/;

/** A new open file of a VFIO device node; undefined for other paths. */
export function openVfio(path: string | undefined): VfioFile | undefined {
  if (path === '/dev/vfio/vfio') return new VfioContainer();
  if (path?.startsWith('/dev/vfio/devices/') === true || path === 'anon_inode:[vfio-device]') return new VfioDevice();
  return path !== undefined && GROUP.test(path) ? new VfioGroup() : undefined;
}
