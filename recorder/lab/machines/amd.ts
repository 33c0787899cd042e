import { X86_TIMER, invalidationArgument } from '../lab-machine.ts';
import type { LabMachine } from '../lab-machine.ts';

export const amd: LabMachine = {
  name: 'amd',
  description: 'AMD-Vi, v1 page tables',
  program: 'qemu-system-x86_64',
  programPackage: 'qemu-system-x86',
  architecture: 'amd64',
  kernelPackage: 'linux-image-amd64',
  console: 'ttyS0',
  emulatorEvents: ['amdvi_*'],
  ats: false,
  machineArguments: () => ['-machine', 'q35', '-cpu', 'EPYC', '-device', 'amd-iommu'],
  kernelArguments: ({ mode }) => [invalidationArgument(mode), 'iommu.passthrough=0', X86_TIMER],
};
