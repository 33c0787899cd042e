import { callsInit } from '../calls-init.ts';
import { GUEST_PROGRAMS } from '../guest-script.ts';
import type { LabWork } from '../lab-work.ts';

export const iommufd: LabWork = {
  name: 'iommufd',
  description: 'IOMMUFD, mock driver and VFIO calls with what they hold, on a kernel built for it (vtd)',
  packages: ['bpftrace'],
  // All of it is built in.
  modules: [],
  ownKernel: true,
  emulatorLog: false,
  memoryMb: 3072,
  programs: () => [
    { name: 'iommufd-calls', source: 'iommufd-calls.c' },
    { name: 'vfio-calls', source: 'vfio-calls.c' },
  ],
  // The mock driver and real devices each have a trace: a trace is verified against one driver.
  recordings: () =>
    new Map([
      ['guest', `${GUEST_PROGRAMS}/iommufd-calls\n`],
      ['vfio', `${GUEST_PROGRAMS}/vfio-calls legacy "$GROUP" "$ADDRESS"\n${GUEST_PROGRAMS}/vfio-calls cdev "$CDEV"\n`],
    ]),
  init: (_seconds, limitSeconds, modules) => callsInit({ limitSeconds, modules }, ['guest', 'vfio']),
  checks: [
    ['verify', 'guest.iorr', '--only', 'ioctl'],
    ['verify', 'vfio.iorr', '--only', 'ioctl'],
  ],
};
