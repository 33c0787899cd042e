import { IorrError } from '../../traces/errors.ts';

/** What a driver does with a device that does not answer an ATC invalidation in time. One member for each, in `ATC_POLICIES`. */
export interface AtcPolicy {
  readonly name: string;
  readonly summary: string;
  /** The command is sent until the device answers. */
  readonly retries: boolean;
  /** The device is cut off: no more of its DMA, no more commands for it. */
  readonly quarantines: boolean;
}

export const ATC_POLICIES: readonly AtcPolicy[] = [
  {
    name: 'retry',
    summary: 'the command is sent again until it is answered (drivers/iommu/intel/dmar.c, qi_submit_sync)',
    retries: true,
    quarantines: false,
  },
  {
    name: 'continue',
    summary:
      "the command counts as done, and the device's cache stays as it was (arm-smmu-v3.c, __arm_smmu_cmdq_skip_err)",
    retries: false,
    quarantines: false,
  },
  {
    name: 'quarantine',
    summary: 'the device is blocked at its first timeout: its DMA fails, and nobody waits for it again',
    retries: false,
    quarantines: true,
  },
];

/** Throws `USAGE` for a name that there is not. */
export function findAtcPolicy(name: string): AtcPolicy {
  const policy = ATC_POLICIES.find((one) => one.name === name);
  if (policy !== undefined) return policy;
  const known = ATC_POLICIES.map((one) => one.name).join(', ');
  throw new IorrError('USAGE', `unknown policy '${name}'; known: ${known}`, { hint: 'iorr compare --help lists them' });
}
