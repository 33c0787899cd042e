import { armSmmuv3Generic } from '../../replay/hardware/arm-smmuv3-generic.ts';
import type { HardwareProfile } from '../../replay/hardware/profile.ts';
import { withSettings } from '../../replay/hardware/profiles.ts';

/** Settings that make the generic SMMUv3 the speed limit's geometry: an invalidated way keeps its place, walks read all levels. */
export const LIMIT_SETTINGS: readonly string[] = [
  'iotlb.sets=64',
  'iotlb.ways=4',
  'iotlb.hashed=2',
  'iotlb.refill-invalid-first=0',
  'walk-cache.l1=0',
  'walk-cache.l2=0',
  'walk-cache.l3=0',
];

/** 64 sets of 4 ways, picked by folded page number and domain, least recently used replaced, four levels. */
export const limitHardware: HardwareProfile = withSettings(armSmmuv3Generic, LIMIT_SETTINGS);
