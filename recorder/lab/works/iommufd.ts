import { callsInit } from '../calls-init.ts';
import { GUEST_PROGRAMS } from '../guest-script.ts';
import type { LabWork } from '../lab-work.ts';

/**
 * Test cases of the kernel's own test that take an emulated machine seconds, not minutes: one fixture for each kind of object. The
 * rest of it maps gigabytes, or forks for each injected failure.
 */
const FIXTURES = ['iommufd', 'iommufd_ioas', 'iommufd_viommu', 'iommufd_device_pasid'];

const SELFTEST = `${GUEST_PROGRAMS}/iommufd-selftest ${FIXTURES.map((name) => `-f ${name}`).join(' ')}`;

export const iommufd: LabWork = {
  name: 'iommufd',
  description: 'IOMMUFD, mock driver and VFIO calls with what they hold, on a kernel built for it (vtd)',
  packages: ['bpftrace'],
  // All of it is built in.
  modules: [],
  ownKernel: true,
  emulatorLog: false,
  memoryMb: 3072,
  programs: (kernel) => [
    { name: 'iommufd-calls', from: { source: 'iommufd-calls.c' } },
    { name: 'vfio-calls', from: { source: 'vfio-calls.c' } },
    ...(kernel?.selftest === undefined ? [] : [{ name: 'iommufd-selftest', from: { path: kernel.selftest } }]),
  ],
  // The mock driver and real devices each have a trace: a trace is verified against one driver.
  recordings: (kernel) =>
    new Map([
      ['guest', `${GUEST_PROGRAMS}/iommufd-calls\n${kernel?.selftest === undefined ? '' : `${SELFTEST}\n`}true\n`],
      ['vfio', `${GUEST_PROGRAMS}/vfio-calls legacy "$GROUP" "$ADDRESS"\n${GUEST_PROGRAMS}/vfio-calls cdev "$CDEV"\n`],
    ]),
  init: (_seconds, limitSeconds, modules) => callsInit({ limitSeconds, modules }, ['guest', 'vfio']),
  checks: [
    ['verify', 'guest.iorr', '--only', 'ioctl'],
    ['verify', 'vfio.iorr', '--only', 'ioctl'],
  ],
};
