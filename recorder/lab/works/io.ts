import { guestInit } from '../guest-init.ts';
import type { LabWork } from '../lab-work.ts';

export const io: LabWork = {
  name: 'io',
  description: 'disk and network I/O on any machine, with invalidations and accesses from the emulator',
  packages: [],
  // Drivers of the devices in `qemu-command.ts`, and of the file system that the load makes.
  modules: ['virtio_pci', 'virtio_blk', 'nvme', 'virtio_net', 'e1000e', 'crc32c_generic', 'ext4'],
  ownKernel: false,
  emulatorLog: true,
  memoryMb: 2048,
  programs: () => [],
  recordings: () => new Map(),
  init: (seconds, limitSeconds, modules) => guestInit({ seconds, limitSeconds, modules }),
  checks: [
    ['import', 'guest.iorr', 'qemu_trace.log', '-o', 'run.iorr'],
    ['verify', 'run.iorr', '--only', 'inv'],
    ['verify', 'run.iorr', '--only', 'dma'],
  ],
};
