import type { ProfileParameter } from '../results.ts';

/** Whose commands a unit takes, and how it tags what it caches. */
export type Architecture = 'vtd' | 'smmuv3' | 'amd' | 'riscv' | 'virtio';

/** A piece of hardware to replay on: one file per member, listed in `profiles.ts`. */
export interface HardwareProfile {
  readonly name: string;
  readonly summary: string;
  readonly architecture: Architecture;
  /** Organisation of the IOTLB; its parameters are named `iotlb.*`. The `qemu-` ones are hashes that are emptied when full. */
  readonly iotlb: 'set-associative' | 'qemu-vtd' | 'qemu-smmuv3' | 'qemu-amd' | 'none';
  /**
   * All of them, each with its source. Names that every profile has: `page-table.levels`, `walk-cache.l1` to `walk-cache.l4`
   * (entries; 0: none), `walk-cache.stage2` (of second-stage translations in nested walks), `context.entries` and `pasid.entries` (0: as many as there are), `device-tlb.entries` (of
   * each device with ATS; 0: none) and `device-tlb.associativity` (0: full).
   * `set-associative`: `iotlb.sets`, `iotlb.ways` (of all sizes, or the smallest), `iotlb.large-sets`, `iotlb.large-ways` (from
   * 2 MiB; 0: in the former), `iotlb.huge-sets`, `iotlb.huge-ways` (from 1 GiB), `iotlb.hashed` (`SET_INDEX`),
   * `iotlb.replacement` (`REPLACEMENT`), `iotlb.seed`, `iotlb.refill-invalid-first` (0, 1).
   * `qemu-`: `iotlb.capacity`; `qemu-vtd`: `iotlb.mask-bits`.
   * VT-d: `page-table.leafs` (bit set: 1 4 KiB, 2 2 MiB, 4 1 GiB), `command.max-mask` (CAP.MAMV). Arm: `page-table.granule` (log2
   * of bytes).
   */
  readonly parameters: readonly ProfileParameter[];
}

/** Value of a parameter. The profile must have it. */
export function parameterOf(profile: HardwareProfile, name: string): number {
  const found = profile.parameters.find((parameter) => parameter.name === name);
  if (found === undefined) throw new RangeError(`the profile ${profile.name} has no parameter ${name}`);
  return found.value;
}
