import type { ProfileParameter } from '../results.ts';

/**
 * What things cost in time: one file per member, listed in `cost-profiles.ts`. Every profile has every name of `COST_NAMES`,
 * in the unit that `costUnit` says.
 */
export interface CostProfile {
  readonly name: string;
  readonly summary: string;
  readonly parameters: readonly ProfileParameter[];
  /** What a profile file tells of harvests of dirty bits: parameters of `compare --dirty`, by their names. */
  readonly dirty?: readonly ProfileParameter[];
  /** The same of page requests: parameters of `compare --pri`. */
  readonly faults?: readonly ProfileParameter[];
}

/**
 * - `cpu.unmap`, `cpu.unmap-page`: clearing page-table entries, per call and per 4 KiB page.
 * - `cpu.defer`: putting a range into a flush queue.
 * - `cpu.command`, `cpu.doorbell`: writing one command, and the tail register.
 * - `cpu.lock-transfer`: a lock, or the counter that gives out places in a ring, comes from another CPU.
 * - `cpu.poll`: one look of a waiting CPU at its completion.
 * - `cpu.resume`: from the look that sees it until the CPU goes on.
 * - `queue.fetch`: from the tail write until the unit begins the first command.
 * - `queue.iotlb`, `queue.wait`: what the unit needs for one command of its own, and for one wait (its status write included).
 * - `queue.device-tlb`: from when the unit begins with a command for a device's TLB until the device has answered; the unit goes
 *   on with the next after `queue.iotlb`.
 * - `queue.entries`: entries of the ring; 0: as many as the driver makes it (256 of VT-d and SMMUv3, 512 of AMD).
 * - `walk.read`: one read of a table entry in a walk. `device.reads`: DMA requests that a device has under way at once.
 * - `cores.pause`: where submitters are scaled, a longer gap between two submissions is a pause of the workload and left out.
 */
export const COST_NAMES = [
  'cpu.unmap',
  'cpu.unmap-page',
  'cpu.defer',
  'cpu.command',
  'cpu.doorbell',
  'cpu.lock-transfer',
  'cpu.poll',
  'cpu.resume',
  'queue.fetch',
  'queue.iotlb',
  'queue.device-tlb',
  'queue.wait',
  'queue.entries',
  'walk.read',
  'device.reads',
  'cores.pause',
] as const;

export type CostName = (typeof COST_NAMES)[number];

/** Unit of a cost. */
export function costUnit(name: CostName): string {
  if (name === 'queue.entries') return 'entries';
  return name === 'device.reads' ? 'requests' : 'ns';
}

/** The values of a profile by name. */
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
