import { parameter, unifiedIotlb } from '../hardware/parameters.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { REPLACEMENT } from '../model/replacement.ts';

const SOURCE = 'stack distances';
/** What has no part in what the IOTLB holds, and costs time. */
const UNUSED = /^(?:walk-cache\.|context\.entries$|pasid\.entries$)/;

const KEPT: ReadonlySet<string> = new Set(['iotlb.hashed', 'iotlb.refill-invalid-first']);

/** True where stack distances tell what the profile's own IOTLB does: one bank for all sizes, least recently used replaced. */
export function isStackHardware(profile: HardwareProfile): boolean {
  if (profile.iotlb !== 'set-associative') return false;
  const value = (name: string): number => parameterOf(profile, name);
  return (
    value('iotlb.replacement') === REPLACEMENT.lru &&
    ['large', 'huge'].every((bank) => value(`iotlb.${bank}-sets`) * value(`iotlb.${bank}-ways`) === 0)
  );
}

/** The same unit with one fully associative IOTLB of so many entries, least recently used replaced, and no other caches. */
export function lruHardware(profile: HardwareProfile, entries: number): HardwareProfile {
  const own = profile.iotlb === 'set-associative' ? profile.parameters : [];
  const kept = (name: string): number | undefined => own.find((one) => one.name === name)?.value;
  const iotlb = unifiedIotlb(1, entries, SOURCE, 'assumed').map((one) => ({
    ...one,
    value: KEPT.has(one.name) ? (kept(one.name) ?? one.value) : one.value,
  }));
  const others = profile.parameters.filter(({ name }) => !name.startsWith('iotlb.'));
  return {
    ...profile,
    iotlb: 'set-associative',
    parameters: [
      ...iotlb,
      ...others.map((one) => (UNUSED.test(one.name) ? parameter(one.name, 0, one.unit, SOURCE) : one)),
    ],
  };
}
