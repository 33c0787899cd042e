import { invalidationArgument } from '../lab-machine.ts';
import type { LabMachine } from '../lab-machine.ts';

export const smmuv3: LabMachine = {
  name: 'smmuv3',
  description: 'Arm SMMUv3, stage 1, in an arm64 machine',
  program: 'qemu-system-aarch64',
  programPackage: 'qemu-system-arm',
  architecture: 'arm64',
  kernelPackage: 'linux-image-arm64',
  console: 'ttyAMA0',
  emulatorEvents: ['smmuv3_*', 'smmu_iotlb_*', 'smmu_config_*'],
  ats: false,
  machineArguments: () => ['-machine', 'virt,iommu=smmuv3,gic-version=3', '-cpu', 'cortex-a57'],
  kernelArguments: ({ mode }) => [invalidationArgument(mode), 'iommu.passthrough=0'],
};
