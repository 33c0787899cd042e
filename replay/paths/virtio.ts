import { DIALECT } from '../../traces/schema.ts';
import { guestContext } from './guest-context.ts';
import { DECODE, EXIT, IOCTL, MAP_IOCTL, TO_USER, exitToUser } from './path-costs.ts';
import { NATIVE_ROUTE } from './path.ts';
import type { Path } from './path.ts';

/**
 * virtio-iommu on real hardware: a guest's mapping is a request that the hypervisor turns into an ioctl, kicked when the mapping
 * must be usable (iotlb_sync_map); an unmapping likewise at its flush. The hardware's commands are the host's.
 */
export const virtio: Path = {
  name: 'virtio',
  summary: 'a guest with virtio-iommu: requests for maps and unmaps, a kick for each that somebody waits for',
  whatIf: undefined,
  parameters: [EXIT, TO_USER, IOCTL, MAP_IOCTL, DECODE],
  context: guestContext,
  create: (parameter, { dialect }) => {
    const exit = exitToUser(parameter);
    const ioctl = parameter(MAP_IOCTL.name);
    const route = {
      ...NATIVE_ROUTE,
      doorbell: exit,
      interrupt: { ns: exit.ns + parameter(IOCTL.name), exits: 1, ioctls: 1 },
    } as const;
    // there the requests are the commands
    if (dialect === DIALECT.virtio) {
      const handOver = { ns: ioctl, exits: 0, ioctls: 1 } as const;
      return { ...route, most: 1, handOver, commandNs: parameter(DECODE.name) };
    }
    return {
      ...route,
      map: { ns: exit.ns + ioctl + parameter(DECODE.name), exits: 1, ioctls: 1 },
      unmap: { ns: ioctl + parameter(DECODE.name), exits: 0, ioctls: 1 },
    };
  },
};
