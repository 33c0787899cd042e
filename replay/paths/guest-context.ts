import type { DesignContext } from '../designs/design.ts';

/** What a guest's driver sees: stage 1 of its SMMU is an EL1 regime, whatever the host's is. */
export function guestContext(context: DesignContext): DesignContext {
  return context.el2 ? { ...context, el2: false } : context;
}
