import { DECODE, EXIT } from './path-costs.ts';
import { guestContext } from './guest-context.ts';
import { NATIVE_ROUTE } from './path.ts';
import type { Path } from './path.ts';

/** The guest's tail register is emulated in the host's kernel, which carries the commands out on its own queue. */
export const trapped: Path = {
  name: 'trapped',
  summary: 'a guest: each tail write exits to the host kernel, which issues the commands',
  whatIf: undefined,
  parameters: [EXIT, DECODE],
  context: guestContext,
  create: (parameter) => {
    const exit = { ns: parameter(EXIT.name), exits: 1, ioctls: 0 } as const;
    return { ...NATIVE_ROUTE, doorbell: exit, commandNs: parameter(DECODE.name), interrupt: exit };
  },
};
