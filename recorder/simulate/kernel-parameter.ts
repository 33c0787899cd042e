import type { ChoiceParameter, ParameterValues } from './parameter.ts';

/** Whose rules a workload's driver goes by. */
export interface KernelRules {
  /** As the trace's header names it. */
  readonly kernel: string;
  /**
   * Page-selective commands say that only leaves changed. Before 6.19 the hint was lost between its caller and the descriptor, so
   * that each took the paging-structure caches of its range with it (qi_desc_iotlb, mended by commit 6b38a108eeb3).
   */
  readonly hints: boolean;
  /** Magazines in the depot of the allocator of I/O virtual addresses. */
  readonly depotLimit: number;
}

const KERNELS: readonly KernelRules[] = [
  { kernel: '7.2', hints: true, depotLimit: Number.POSITIVE_INFINITY },
  { kernel: '6.0', hints: false, depotLimit: 32 },
];

export const KERNEL: ChoiceParameter = {
  kind: 'choice',
  name: 'kernel',
  about: 'Linux version whose driver runs: 6.0 never hints that only leaves changed, and keeps fewer freed addresses',
  default: '7.2',
  choices: KERNELS.map((rules) => rules.kernel),
};

export function kernelRules(values: ParameterValues): KernelRules {
  const name = values.choice(KERNEL.name);
  const found = KERNELS.find((rules) => rules.kernel === name);
  if (found === undefined) throw new RangeError(`no kernel ${name}`);
  return found;
}
