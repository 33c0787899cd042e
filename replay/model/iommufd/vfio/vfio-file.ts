import type { Machine } from '../machine.ts';
import type { OpenFile, Process } from '../process.ts';

/** One ioctl on a VFIO fd: of a container, a group or a device. */
export interface VfioCall {
  readonly machine: Machine;
  readonly process: Process;
  readonly request: number;
  readonly argument: bigint;
}

/** An open VFIO file. Which calls it has depends on its kind: the request numbers overlap. */
export interface VfioFile extends OpenFile {
  readonly kind: 'vfioContainer' | 'vfioGroup' | 'vfioDevice';
  /** 0 or positive: what the call returns; negative: an errno. Throws `Unjudged` where only the device can answer. */
  ioctl(call: VfioCall): number;
}

/**
 * Numbers of files in sources that have none: one file of a kind is all that can be told apart there.
 */
const UNNUMBERED: Readonly<Record<string, number>> = {
  iommufd: -1,
  vfioContainer: -2,
  vfioGroup: -3,
  vfioDevice: -4,
};

export function unnumberedFd(kind: OpenFile['kind']): number {
  return UNNUMBERED[kind] ?? -9;
}

export function isVfioFile(file: OpenFile | undefined): file is VfioFile {
  return file?.kind === 'vfioContainer' || file?.kind === 'vfioGroup' || file?.kind === 'vfioDevice';
}
