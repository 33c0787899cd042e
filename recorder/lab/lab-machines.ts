import type { LabMachine } from './lab-machine.ts';
import { amd } from './machines/amd.ts';
import { smmuv3 } from './machines/smmuv3.ts';
import { vtd } from './machines/vtd.ts';

/** Every machine of the laboratory; the first one is the default. To add one: a file in `machines/`, a line here. */
export const LAB_MACHINES: readonly LabMachine[] = [vtd, smmuv3, amd];

export function findLabMachine(name: string): LabMachine | undefined {
  return LAB_MACHINES.find((machine) => machine.name === name);
}
