import { DIALECT } from '../../traces/schema.ts';
import type { ProfileParameter } from '../results.ts';
import { guestContext } from './guest-context.ts';
import { EXIT, TO_USER, IOCTL, exitToUser } from './path-costs.ts';
import { NATIVE_ROUTE } from './path.ts';
import type { Path } from './path.ts';

const QUEUES: ProfileParameter = {
  name: 'direct-queue.queues',
  value: 2,
  unit: 'queues',
  source: 'Tegra241: two logical queues for each virtual interface; CPU c takes queue c mod n',
  standing: 'published',
};

/** IOMMU_HW_QUEUE_ALLOC: the guest's queue is the hardware's, and its registers are mapped into the guest. */
export const directQueue: Path = {
  name: 'direct-queue',
  summary: 'a guest: its command queue is one of the hardware, mapped into it; no exit',
  whatIf: undefined,
  parameters: [QUEUES, EXIT, TO_USER, IOCTL],
  context: guestContext,
  impossible: ({ dialect }) =>
    dialect === DIALECT.smmuv3 || dialect === DIALECT.amd
      ? undefined
      : 'no hardware of this architecture has command queues for guests (SMMUv3 with vCMDQ and AMD vIOMMU have)',
  create: (parameter) => {
    const exit = exitToUser(parameter);
    return {
      ...NATIVE_ROUTE,
      queues: parameter(QUEUES.name),
      interrupt: { ns: exit.ns + parameter(IOCTL.name), exits: 1, ioctls: 1 },
    };
  },
};
