import { callsInit } from '../calls-init.ts';
import { GUEST_PROGRAMS } from '../guest-script.ts';
import type { LabWork } from '../lab-work.ts';

/** Debian's kernels have VFIO's own containers, and no IOMMUFD. */
export const vfio: LabWork = {
  name: 'vfio',
  description: 'VFIO type 1 calls on an NVMe disk, with what their structs hold (vtd)',
  packages: ['bpftrace'],
  modules: ['virtio_pci', 'virtio_blk', 'vfio_iommu_type1', 'vfio_pci'],
  ownKernel: false,
  emulatorLog: false,
  memoryMb: 3072,
  programs: () => [{ name: 'vfio-calls', source: 'vfio-calls.c' }],
  recordings: () => new Map([['guest', `${GUEST_PROGRAMS}/vfio-calls legacy "$GROUP" "$ADDRESS"\n`]]),
  init: (_seconds, limitSeconds, modules) => callsInit({ limitSeconds, modules }, ['guest']),
  checks: [['verify', 'guest.iorr', '--only', 'ioctl']],
};
