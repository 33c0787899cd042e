import { NATIVE_ROUTE } from './path.ts';
import type { Path } from './path.ts';

export const native: Path = {
  name: 'native',
  summary: 'the driver writes the hardware queue itself',
  whatIf: undefined,
  parameters: [],
  create: () => NATIVE_ROUTE,
};
