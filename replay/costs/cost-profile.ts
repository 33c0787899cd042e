import type { ProfileParameter } from '../results.ts';

/**
 * What things cost in time: one file per member, listed in `cost-profiles.ts`. Every profile has every name of `COST_NAMES`,
 * in ns.
 */
export interface CostProfile {
  readonly name: string;
  readonly summary: string;
  readonly parameters: readonly ProfileParameter[];
}

/**
 * - `cpu.unmap`, `cpu.unmap-page`: clearing page-table entries, per call and per 4 KiB page.
 * - `cpu.defer`: putting a range into a flush queue.
 * - `cpu.command`, `cpu.doorbell`: writing one command, and the tail register.
 * - `queue.fetch`: from the tail write until the unit begins the first command.
 * - `queue.iotlb`, `queue.device-tlb`, `queue.wait`: what the unit needs for one command of that kind; a wait includes until the
 *   waiting CPU sees it done.
 */
export const COST_NAMES = [
  'cpu.unmap',
  'cpu.unmap-page',
  'cpu.defer',
  'cpu.command',
  'cpu.doorbell',
  'queue.fetch',
  'queue.iotlb',
  'queue.device-tlb',
  'queue.wait',
] as const;

export type CostName = (typeof COST_NAMES)[number];

/** The values of a profile by name, in ns. */
export type Costs = { readonly [N in CostName]: number };

/** Values of a profile. Throws `RangeError` if a name is missing: a test walks the registry. */
export function costsOf(profile: CostProfile): Costs {
  const costs: { [name: string]: number } = {};
  for (const name of COST_NAMES) {
    const parameter = profile.parameters.find((candidate) => candidate.name === name);
    if (parameter === undefined) throw new RangeError(`cost profile ${profile.name} lacks ${name}`);
    costs[name] = parameter.value;
  }
  return costs as Costs;
}
