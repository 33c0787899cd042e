import type { HardwareProfile } from '../hardware/profile.ts';
import { CacheEntries } from '../model/cache-entries.ts';
import { EFFECTS } from '../model/effects.ts';
import { ExposureTotals } from '../model/exposure.ts';
import type { MachineCounts } from '../model/machine.ts';
import { MissCauses } from '../model/miss-causes.ts';
import { MOST_TRANSLATIONS } from '../model/miss-history.ts';
import type { NextLevelCounts } from './next-level.ts';
import type { PartCounts, PartFinds } from './set-part.ts';

/** What all parts found in a segment. */
export function joinFinds(parts: readonly PartFinds[]): PartFinds {
  const [first, ...others] = parts;
  if (first === undefined) throw new RangeError('a part expected');
  if (others.length === 0) return first;
  const { missed, evicted, served, dropped } = first;
  for (const other of others) {
    for (let i = 0; i < missed.length; i++) missed[i]! |= other.missed[i]!;
    for (let i = 0; i < evicted.length; i++) evicted[i]! |= other.evicted[i]!;
    for (let i = 0; i < served.length; i++) served[i]! |= other.served[i]!;
    for (let i = 0; i < dropped.length; i++) dropped[i]! |= other.dropped[i]!;
  }
  return {
    missed,
    evicted,
    served,
    dropped,
    levels: joinPairs(parts.map(({ levels }) => levels)),
    exposed: joinPairs(parts.map(({ exposed }) => exposed)),
  };
}

/** Pairs of a number and what is told of it, by number: what several parts tell of one is one behind the other. */
function joinPairs(lists: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(lists.reduce((sum, list) => sum + list.length, 0));
  const at = lists.map(() => 0);
  for (let to = 0; to < all.length; to += 2) {
    let from = -1;
    for (let i = 0; i < lists.length; i++) {
      const next = lists[i]![at[i]!];
      if (next !== undefined && (from < 0 || next < lists[from]![at[from]!]!)) from = i;
    }
    all[to] = lists[from]![at[from]!]!;
    all[to + 1] = lists[from]![at[from]! + 1]!;
    at[from]! += 2;
  }
  return all;
}

/** What one machine would have counted; a text tells why that can't be told from the parts. */
export function joinCounts(
  hardware: HardwareProfile,
  parts: readonly PartCounts[],
  next: NextLevelCounts,
): MachineCounts | string {
  const [first] = parts;
  if (first === undefined) throw new RangeError('a part expected');
  const sum = (count: (part: PartCounts) => number): number => parts.reduce((total, part) => total + count(part), 0);
  if (sum(({ translations }) => translations) >= MOST_TRANSLATIONS)
    return 'too many distinct pages to remember them all';
  if (sum(({ exposure }) => exposure.pageNs) > Number.MAX_SAFE_INTEGER)
    return 'exposure that is too long to be added in any order';
  const { kindName } = EFFECTS[hardware.architecture];
  const causes = new MissCauses(new CacheEntries(0), undefined);
  causes.add(
    parts.map(({ bySeen }) => bySeen),
    next.conflicts,
  );
  const { lookups, misses, context, pasid } = next;
  const iotlb = causes.report(lookups, lookups - misses, kindName);
  const exposure = new ExposureTotals();
  exposure.addSums(
    parts.map((part) => part.exposure),
    next.mostExposed,
  );
  return {
    iotlb: { lookups, hits: lookups - misses, misses, causes: iotlb.causes },
    caches: {
      iotlb,
      ...next.walkCaches,
      context,
      ...(pasid.lookups > 0 ? { pasid } : {}),
      ...(first.atc === undefined ? {} : { atc: first.atc }),
    },
    walks: misses,
    walkReads: next.walkReads,
    faults: 0,
    exposure: exposure.report(),
    deviceExposure: first.deviceExposure,
    stale: {
      translations: sum(({ stale }) => stale.translations),
      maxAgeNs: parts.reduce((most, { stale }) => Math.max(most, stale.maxAgeNs), 0),
    },
    staleFindings: [],
    wasted: next.wasted,
    malformed: next.errors.reduce((total, { count }) => total + count, 0),
    errors: next.errors,
    overlaps: 0,
    missing: 0,
    unbacked: sum(({ unbacked }) => unbacked),
    historyFull: false,
  };
}
