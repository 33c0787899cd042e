import { VFIO_DEVICE_FILE, isVfioDevice } from '../../../../traces/ioctl-requests.ts';
import { openIommufd } from '../iommufd-file.ts';
import type { Machine } from '../machine.ts';
import type { OpenFile } from '../process.ts';
import { VfioContainer } from './container.ts';
import { VfioDevice } from './device.ts';
import { VfioGroup } from './group.ts';

/** `/dev/vfio/7`, `/dev/vfio/noiommu-0`. */
const GROUP = /^\/dev\/vfio\/(?:noiommu-)?\d+$/;

/**
 * A new open file of a VFIO node; undefined for other paths. /dev/vfio/vfio is what the machine says: a container of its own, or
 * an iommufd, which then counts locked memory by process.
 */
export function openVfio(machine: Machine, path: string | undefined): OpenFile | undefined {
  if (path === '/dev/vfio/vfio') return machine.containerIsIommufd ? openIommufd(machine, true) : new VfioContainer();
  if (path === VFIO_DEVICE_FILE) return new VfioDevice();
  if (path !== undefined && isVfioDevice(path)) return new VfioDevice(machine.deviceNode(path));
  return path !== undefined && GROUP.test(path) ? new VfioGroup(machine, path) : undefined;
}
