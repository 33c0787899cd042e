import { DIALECT } from '../../traces/schema.ts';
import { guestContext } from './guest-context.ts';
import { DECODE, EXIT, IOCTL, MAP_IOCTL, TO_USER, exitToUser } from './path-costs.ts';
import { NATIVE_ROUTE } from './path.ts';
import type { Path } from './path.ts';

/**
 * Without nesting the hypervisor keeps the hardware's page table a copy of the guest's. It learns of changes by the guest's
 * invalidations, so the guest must also invalidate what it maps (CAP.CM, NpCache).
 */
export const shadow: Path = {
  name: 'shadow',
  summary: 'a guest without nesting: caching mode, each command exits and becomes a map or unmap ioctl',
  whatIf: undefined,
  parameters: [EXIT, TO_USER, IOCTL, MAP_IOCTL, DECODE],
  context: (context) => ({ ...guestContext(context), cachingMode: true }),
  impossible: ({ dialect, firstStage }) => {
    if (dialect !== DIALECT.vtd && dialect !== DIALECT.amd) {
      return 'only VT-d (CAP.CM) and AMD (NpCache) can ask a guest to tell what it maps';
    }
    return firstStage.size > 0 ? 'a guest does not tell what it maps in first-stage tables' : undefined;
  },
  create: (parameter) => {
    const exit = exitToUser(parameter);
    return {
      ...NATIVE_ROUTE,
      most: 1,
      doorbell: exit,
      handOver: { ns: parameter(MAP_IOCTL.name), exits: 0, ioctls: 1 },
      commandNs: parameter(DECODE.name),
      interrupt: { ns: exit.ns + parameter(IOCTL.name), exits: 1, ioctls: 1 },
    };
  },
};
