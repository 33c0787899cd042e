/** How the guest's driver invalidates: at each unmap, or by flush queues. */
export type InvalidationMode = 'strict' | 'lazy';

/** What of a machine can be chosen. */
export interface MachineChoice {
  readonly mode: InvalidationMode;
  /** True for devices with ATS behind root ports. */
  readonly ats: boolean;
}

/** One kind of emulated machine that a recording can be made in. One file per member; `lab-machines.ts` has them all. */
export interface LabMachine {
  /** What `--iommu` takes. */
  readonly name: string;
  readonly description: string;
  /** The emulator's program, and the Debian package that has it. */
  readonly program: string;
  readonly programPackage: string;
  /** As Debian names it; the guest's packages are of this architecture. */
  readonly architecture: string;
  /** Debian's meta package of the newest kernel. */
  readonly kernelPackage: string;
  /** Kernel console on the first serial port. */
  readonly console: string;
  /** Names of QEMU's own trace events of this IOMMU, as its `-trace` takes them. */
  readonly emulatorEvents: readonly string[];
  /** True if devices can have ATS here. */
  readonly ats: boolean;
  /** The machine and its IOMMU: everything of QEMU's command line that must come before the devices. */
  machineArguments(choice: MachineChoice): readonly string[];
  kernelArguments(choice: MachineChoice): readonly string[];
}

/** `iommu.strict` of every architecture (drivers/iommu/iommu.c). */
export function invalidationArgument(mode: InvalidationMode): string {
  return `iommu.strict=${mode === 'strict' ? 1 : 0}`;
}

/** The kernel's test of the timer counts on ticks that come in time: an emulator on a busy host fails it. */
export const X86_TIMER = 'no_timer_check';
