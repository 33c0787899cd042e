import type { ProfileParameter } from '../results.ts';
import type { PathStep } from './path.ts';

/** Costs that several paths have in common. */

export const EXIT: ProfileParameter = {
  name: 'path.exit',
  value: 850,
  unit: 'ns',
  source:
    '2,528 to 2,576 cycles of one world switch and back (kernel mailing list, December 2020), at an assumed 3 GHz',
  standing: 'published',
};

export const TO_USER: ProfileParameter = {
  name: 'path.to-user',
  value: 1000,
  unit: 'ns',
  source:
    "from the exit to the hypervisor's process and back, with its handler: two system calls of 200 ns and the rest",
  standing: 'assumed',
};

export const IOCTL: ProfileParameter = {
  name: 'path.ioctl',
  value: 200,
  unit: 'ns',
  source: 'a failing ioctl took 145 to 230 ns on a virtual machine with Linux 6.18',
  standing: 'measured',
};

export const DECODE: ProfileParameter = {
  name: 'path.decode',
  value: 50,
  unit: 'ns',
  source: 'reading one command from guest memory, checking and rewriting it',
  standing: 'assumed',
};

export const MAP_IOCTL: ProfileParameter = {
  name: 'path.map-ioctl',
  value: 600,
  unit: 'ns',
  source:
    'IOMMU_IOAS_MAP of one range: entry and exit 200 ns (measured), pinning and mapping the rest; per 4 KiB page more',
  standing: 'assumed',
};

/** Out of the guest into the hypervisor's process and back. */
export function exitToUser(parameter: (name: string) => number): PathStep {
  return { ns: parameter(EXIT.name) + parameter(TO_USER.name), exits: 1, ioctls: 0 };
}
