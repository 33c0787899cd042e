import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import type { DropListener, Iotlb } from './iotlb.ts';
import { NoIotlb } from './no-iotlb.ts';
import { QemuIotlb } from './qemu-iotlb.ts';
import type { Bank, Geometry } from './set-associative-iotlb.ts';
import { SetAssociativeIotlb } from './set-associative-iotlb.ts';

/** First orders of the banks of a split cache: 4 KiB up, 2 MiB up, 1 GiB up. */
const CLASSES = [
  ['', 0],
  ['large-', 9],
  ['huge-', 18],
] as const;

/** Geometry of the profile's IOTLB if that is set-associative. */
export function iotlbGeometry(profile: HardwareProfile): Geometry | undefined {
  if (profile.iotlb !== 'set-associative') return undefined;
  const value = (name: string): number => parameterOf(profile, name);
  const banks: Bank[] = [];
  for (const [prefix, fromOrder] of CLASSES) {
    const sets = value(`iotlb.${prefix}sets`);
    const ways = value(`iotlb.${prefix}ways`);
    if (sets * ways > 0) banks.push({ sets, ways, fromOrder });
  }
  return {
    banks,
    index: value('iotlb.hashed'),
    replacement: value('iotlb.replacement'),
    seed: value('iotlb.seed'),
    refillInvalidFirst: value('iotlb.refill-invalid-first') !== 0,
  };
}

/** Geometry of the cache of each device with ATS; undefined where the profile has none. */
export function deviceTlbGeometry(profile: HardwareProfile): Geometry | undefined {
  const entries = parameterOf(profile, 'device-tlb.entries');
  if (entries === 0) return undefined;
  const ways = Math.min(entries, parameterOf(profile, 'device-tlb.associativity') || entries);
  const banks = [{ sets: Math.floor(entries / ways), ways, fromOrder: 0 }];
  return { banks, index: 0, replacement: 0, seed: 0, refillInvalidFirst: true };
}

/** The profile's IOTLB. */
export function createIotlb(profile: HardwareProfile, geometry: Geometry | undefined, onDrop: DropListener): Iotlb {
  if (geometry !== undefined) return new SetAssociativeIotlb(geometry, onDrop);
  if (profile.iotlb === 'none') return new NoIotlb();
  return new QemuIotlb(
    {
      capacity: parameterOf(profile, 'iotlb.capacity'),
      maskBits: profile.iotlb === 'qemu-vtd' ? parameterOf(profile, 'iotlb.mask-bits') : 52,
      largestFirst: profile.iotlb === 'qemu-smmuv3',
    },
    onDrop,
  );
}
