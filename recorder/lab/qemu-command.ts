import type { LabMachine, MachineChoice } from './lab-machine.ts';

/** Everything that QEMU is started with. */
export interface GuestSetup extends MachineChoice {
  readonly machine: LabMachine;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly kernel: string;
  readonly initramfs: string;
  /** Disk images, and the file for QEMU's own trace events. */
  readonly blockImage: string;
  readonly nvmeImage: string;
  readonly resultImage: string;
  /** Undefined: none are written. */
  readonly emulatorLog: string | undefined;
}

/** Serial numbers by which the guest tells its disks apart. */
export const BLOCK_SERIAL = 'lab-block';
export const NVME_SERIAL = 'lab-nvme';
export const RESULT_SERIAL = 'lab-result';

/** Commas separate QEMU's options; doubled they are part of a value. */
const quoted = (path: string): string => path.replaceAll(',', ',,');

function drive(id: string, path: string): readonly string[] {
  return ['-drive', `if=none,id=${id},file=${quoted(path)},format=raw,cache=unsafe`];
}

/** Devices that do DMA through the IOMMU: a virtio and a native one of each kind. The two networks are one wire. */
function devices(ats: boolean): readonly string[] {
  const virtio = `disable-legacy=on,iommu_platform=on${ats ? ',ats=on' : ''}`;
  const models = [
    `virtio-blk-pci,drive=block,serial=${BLOCK_SERIAL},${virtio}`,
    `nvme,drive=nvme,serial=${NVME_SERIAL}`,
    `virtio-net-pci,netdev=left,mac=52:54:00:00:00:01,${virtio}`,
    'e1000e,netdev=right,mac=52:54:00:00:00:02',
  ];
  return models.flatMap((model, index) => {
    // ATS is a matter of PCI Express: such a device sits behind a root port of its own.
    if (!ats) return ['-device', `${model},bus=pcie.0,addr=${index + 3}`];
    const port = `pcie-root-port,id=port${index},chassis=${index + 1},bus=pcie.0,addr=${index + 8}`;
    return ['-device', port, '-device', `${model},bus=port${index}`];
  });
}

/** Arguments for the emulator's program: no network to the outside, no display, console on stdout. */
export function qemuArguments(setup: GuestSetup): readonly string[] {
  const { machine } = setup;
  const parts: readonly (readonly string[])[] = [
    ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    machine.machineArguments(setup),
    ['-accel', 'tcg', '-m', String(setup.memoryMb), '-smp', String(setup.cpus)],
    ['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    setup.emulatorLog === undefined ? [] : ['-msg', 'timestamp=on', '-D', setup.emulatorLog],
    setup.emulatorLog === undefined ? [] : machine.emulatorEvents.flatMap((pattern) => ['-trace', pattern]),
    drive('block', setup.blockImage),
    drive('nvme', setup.nvmeImage),
    drive('result', setup.resultImage),
    ['-netdev', 'hubport,id=left,hubid=0', '-netdev', 'hubport,id=right,hubid=0'],
    devices(setup.ats),
    // Without iommu_platform a virtio device goes past the IOMMU: bringing results out leaves no trace.
    ['-device', `virtio-blk-pci,drive=result,serial=${RESULT_SERIAL},bus=pcie.0,addr=0x1c`],
    ['-kernel', setup.kernel, '-initrd', setup.initramfs, '-append', kernelCommandLine(setup)],
  ];
  return parts.flat();
}

/** `panic=-1` with `-no-reboot` ends the emulator when the guest's kernel dies. */
export function kernelCommandLine({ machine, mode, ats }: GuestSetup): string {
  const own = machine.kernelArguments({ mode, ats });
  return [`console=${machine.console}`, 'loglevel=4', 'panic=-1', ...own].join(' ');
}
