import type { ProfileParameter } from '../results.ts';
import { guestContext } from './guest-context.ts';
import { NATIVE_ROUTE } from './path.ts';
import type { Path } from './path.ts';

const CALL: ProfileParameter = {
  name: 'tsm-mediated.call',
  value: 3000,
  unit: 'ns',
  source: 'into the security manager and back, with its checks: a few world switches; no figure is published',
  standing: 'assumed',
};

/** Confidential computing (TDISP): the trusted manager owns page tables and queues; each change and hand-over is a call to it. */
export const tsmMediated: Path = {
  name: 'tsm-mediated',
  summary: 'confidential: each map, unmap and hand-over of commands is a call into the security manager',
  whatIf: 'a security manager mediates the IOMMU of a confidential guest; no kernel has merged this',
  parameters: [CALL],
  context: guestContext,
  create: (parameter) => {
    const call = { ns: parameter(CALL.name), exits: 1, ioctls: 0 } as const;
    return { ...NATIVE_ROUTE, doorbell: call, map: call, unmap: call, interrupt: call };
  },
};
