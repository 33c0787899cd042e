import type { ProfileParameter, Standing } from '../results.ts';

/** One parameter of a profile. What nobody published is `assumed`. */
export function parameter(
  name: string,
  value: number,
  unit: string,
  source: string,
  standing: Standing = 'assumed',
): ProfileParameter {
  return { name, value, unit, source, standing };
}

/** Sizes of a set-associative IOTLB that is not split by page size, least recently used replacement. */
export function unifiedIotlb(sets: number, ways: number, source: string, standing: Standing): ProfileParameter[] {
  return [
    parameter('iotlb.sets', sets, 'sets', source, standing),
    parameter('iotlb.ways', ways, 'ways', source, standing),
    parameter('iotlb.large-sets', 0, 'sets', UNPUBLISHED),
    parameter('iotlb.large-ways', 0, 'ways', UNPUBLISHED),
    parameter('iotlb.huge-sets', 0, 'sets', UNPUBLISHED),
    parameter('iotlb.huge-ways', 0, 'ways', UNPUBLISHED),
    parameter('iotlb.hashed', 0, '0 low bits, 1 mixed, 2 folded', UNPUBLISHED),
    parameter('iotlb.replacement', 0, '0 LRU, 1 tree PLRU, 2 FIFO, 3 random', UNPUBLISHED),
    parameter('iotlb.seed', 0, 'of random replacement', 'any number'),
    parameter('iotlb.refill-invalid-first', 1, 'flag', UNPUBLISHED),
  ];
}

/** Entries of the paging-structure caches of levels 1 to 4; none for second-stage translations of nested walks. */
export function walkCaches(
  entries: readonly [number, number, number, number],
  source: string,
  standing: Standing,
): ProfileParameter[] {
  return [
    ...entries.map((count, i) => parameter(`walk-cache.l${i + 1}`, count, 'entries', source, standing)),
    parameter('walk-cache.stage2', 0, 'entries', UNPUBLISHED),
  ];
}

/** Caches of configuration and of devices, for which no profile has figures. */
export function unlimitedConfiguration(source: string, standing: Standing): ProfileParameter[] {
  return [
    parameter('context.entries', 0, 'entries, 0 for all', source, standing),
    parameter('pasid.entries', 0, 'entries, 0 for all', source, standing),
    parameter('device-tlb.entries', 0, 'entries a device, 0 for none', 'depends on the device: set it to model ATS'),
    parameter('device-tlb.associativity', 0, 'ways, 0 for full', 'depends on the device'),
  ];
}

export const UNPUBLISHED = 'no vendor publishes it';
