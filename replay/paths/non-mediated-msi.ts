import { guestContext } from './guest-context.ts';
import { NO_STEP } from './path.ts';
import type { Path } from './path.ts';
import { trapped } from './trapped.ts';

/** A guest sets up its devices' interrupts by itself; its invalidations trap as ever. */
export const nonMediatedMsi: Path = {
  name: 'non-mediated-msi',
  summary: 'as trapped, but a guest changes the remapping of its interrupts without the hypervisor',
  whatIf: 'a guest programs its MSI addresses and data itself; no kernel has merged this',
  parameters: trapped.parameters,
  context: guestContext,
  create: (parameter, context) => ({ ...trapped.create(parameter, context), interrupt: NO_STEP }),
};
