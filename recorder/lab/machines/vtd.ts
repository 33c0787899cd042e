import { X86_TIMER, invalidationArgument } from '../lab-machine.ts';
import type { LabMachine } from '../lab-machine.ts';

export const vtd: LabMachine = {
  name: 'vtd',
  description: 'Intel VT-d, legacy mode, interrupts remapped',
  program: 'qemu-system-x86_64',
  programPackage: 'qemu-system-x86',
  architecture: 'amd64',
  kernelPackage: 'linux-image-amd64',
  console: 'ttyS0',
  emulatorEvents: ['vtd_*'],
  ats: true,
  machineArguments: ({ ats }) => [
    '-machine',
    'q35',
    '-cpu',
    'qemu64',
    '-device',
    `intel-iommu,intremap=on${ats ? ',device-iotlb=on' : ''}`,
  ],
  kernelArguments: ({ mode }) => ['intel_iommu=on', invalidationArgument(mode), 'iommu.passthrough=0', X86_TIMER],
};
