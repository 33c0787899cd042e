import { DIALECT } from '../../traces/schema.ts';
import type { DesignContext } from '../designs/design.ts';
import { SMMUV3_GUEST_BATCH } from '../model/smmuv3-guest.ts';
import type { ProfileParameter } from '../results.ts';
import { guestContext } from './guest-context.ts';
import { DECODE, EXIT, IOCTL, TO_USER, exitToUser } from './path-costs.ts';
import { NATIVE_ROUTE } from './path.ts';
import type { Path } from './path.ts';

/** IOMMU_HWPT_INVALIDATE takes no commands of these: drivers/iommu has no op for them. */
function impossible(context: DesignContext): string | undefined {
  if (context.dialect === DIALECT.vtd || context.dialect === DIALECT.smmuv3) return undefined;
  return 'IOMMU_HWPT_INVALIDATE has a data type for VT-d and SMMUv3 only';
}

function listParameters(name: string): readonly ProfileParameter[] {
  return [
    {
      name: `${name}.refuse-every`,
      value: 0,
      unit: 'commands',
      source: 'fault injection: of every so many commands the host refuses one; 0: none',
      standing: 'assumed',
    },
    {
      name: `${name}.trust-count`,
      value: 0,
      unit: '0, 1',
      source: '1: the hypervisor takes the count that the ioctl returns for what was issued, and acknowledges so much',
      standing: 'assumed',
    },
  ];
}

/** The hypervisor's process reads the guest's queue and passes what it finds to the kernel, `most` commands an ioctl. */
function invalidateIoctl(name: string, summary: string, most: number | undefined): Path {
  const size: ProfileParameter = {
    name: `${name}.size`,
    value: 256,
    unit: 'commands',
    source: "as many as the guest's queue holds; the kernel takes up to 262,144",
    standing: 'assumed',
  };
  return {
    name,
    summary,
    whatIf: undefined,
    parameters: [EXIT, TO_USER, IOCTL, DECODE, ...(most === undefined ? [size] : []), ...listParameters(name)],
    context: guestContext,
    impossible,
    create: (parameter, { dialect }) => {
      const ioctl = { ns: parameter(IOCTL.name), exits: 0, ioctls: 1 } as const;
      const exit = exitToUser(parameter);
      return {
        ...NATIVE_ROUTE,
        most: most ?? parameter(size.name),
        doorbell: exit,
        handOver: ioctl,
        commandNs: parameter(DECODE.name),
        interrupt: { ...exit, ns: exit.ns + ioctl.ns, ioctls: 1 },
        list: {
          // VT-d carries out one by one (drivers/iommu/intel/nested.c)
          chunk: dialect === DIALECT.smmuv3 ? SMMUV3_GUEST_BATCH : 1,
          refuseEvery: parameter(`${name}.refuse-every`),
          trustCount: parameter(`${name}.trust-count`) !== 0,
        },
      };
    },
  };
}

export const ioctlOne = invalidateIoctl(
  'ioctl-1',
  'a guest with nesting: each tail write exits to the hypervisor, one IOMMU_HWPT_INVALIDATE a command',
  1,
);

export const ioctlMany = invalidateIoctl(
  'ioctl-n',
  'a guest with nesting: each tail write exits to the hypervisor, native commands passed 1:1 in lists',
  undefined,
);
