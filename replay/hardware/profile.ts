import type { ProfileParameter } from '../results.ts';

/** A piece of hardware to replay on: one file per member, listed in `profiles.ts`. */
export interface HardwareProfile {
  readonly name: string;
  readonly summary: string;
  /** Organisation of the IOTLB; its parameters are named `iotlb.*`. */
  readonly iotlb: 'set-associative' | 'qemu-vtd';
  /**
   * All of them, each with its source. Names that every profile has: `page-table.levels` (3 to 5), `page-table.leafs` (bit set:
   * 1 4 KiB, 2 2 MiB, 4 1 GiB), `command.max-mask` (CAP.MAMV), `walk-cache.l1` to `walk-cache.l4` (entries; 0: none).
   * `set-associative`: `iotlb.sets`, `iotlb.ways`, `iotlb.hashed` (0, 1), `iotlb.refill-invalid-first` (0, 1).
   * `qemu-vtd`: `iotlb.capacity`, `iotlb.mask-bits`.
   */
  readonly parameters: readonly ProfileParameter[];
}

/** Value of a parameter. The profile must have it. */
export function parameterOf(profile: HardwareProfile, name: string): number {
  const found = profile.parameters.find((parameter) => parameter.name === name);
  if (found === undefined) throw new RangeError(`the profile ${profile.name} has no parameter ${name}`);
  return found.value;
}
