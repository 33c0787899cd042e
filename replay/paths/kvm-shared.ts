import type { ProfileParameter } from '../results.ts';
import { EXIT, IOCTL, TO_USER, exitToUser } from './path-costs.ts';
import { NATIVE_ROUTE } from './path.ts';
import type { Path } from './path.ts';

const NOTIFIER: ProfileParameter = {
  name: 'kvm-shared.notifier',
  value: 150,
  unit: 'ns',
  source: 'one call of an MMU notifier into the IOMMU driver',
  standing: 'assumed',
};

/** The IOMMU walks the virtual machine's own second-stage table: nothing is mapped twice, notifiers tell what goes. */
export const kvmShared: Path = {
  name: 'kvm-shared',
  summary: "the HWPT is the virtual machine's page table: no map ioctls, notifiers invalidate",
  whatIf: 'KVM and IOMMUFD share one page table; no kernel has merged this',
  parameters: [NOTIFIER, EXIT, TO_USER, IOCTL],
  create: (parameter) => {
    const exit = exitToUser(parameter);
    return {
      ...NATIVE_ROUTE,
      unmap: { ns: parameter(NOTIFIER.name), exits: 0, ioctls: 0 },
      interrupt: { ns: exit.ns + parameter(IOCTL.name), exits: 1, ioctls: 1 },
    };
  },
};
