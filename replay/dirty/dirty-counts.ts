/**
 * What a method did, in things that have a cost. All are counts:
 * - `calls`: harvest requests that it was given;
 * - `entriesRead`, `tablesVisited`: page-table entries looked at, and the tables that hold them;
 * - `entriesCleared`: entries that became clean (each of a replicated leaf), or write-protected;
 * - `entriesWritten`: entries written by splits and merges; `splits`, `merges`: leaves that became smaller ones, and back;
 * - `flushes`: invalidation commands, each with its wait;
 * - `bitmapBytes`: bytes of bitmap that were handed over; `ringEntries`: log entries that were collected;
 * - `faults`: writes that had to wait for the kernel; `exits`: writers that were stopped because their log was full;
 * - `requests`, `responses`: page requests of devices, and answers to their groups; `retranslations`: translations that devices
 *   asked for again, as the one they had did not permit the write or as its request was answered;
 * - `accesses`, `misses`, `walkReads`: of the IOTLB, with the walks that set a dirty bit of a cached translation;
 * - `updates`: leaves that a write made dirty.
 */
export const DIRTY_COUNT_NAMES = [
  'calls',
  'entriesRead',
  'tablesVisited',
  'entriesCleared',
  'entriesWritten',
  'splits',
  'merges',
  'flushes',
  'bitmapBytes',
  'ringEntries',
  'faults',
  'exits',
  'requests',
  'responses',
  'retranslations',
  'accesses',
  'misses',
  'walkReads',
  'updates',
] as const;

export type DirtyCounts = { [N in (typeof DIRTY_COUNT_NAMES)[number]]: number };

export function noCounts(): DirtyCounts {
  return {
    calls: 0,
    entriesRead: 0,
    tablesVisited: 0,
    entriesCleared: 0,
    entriesWritten: 0,
    splits: 0,
    merges: 0,
    flushes: 0,
    bitmapBytes: 0,
    ringEntries: 0,
    faults: 0,
    exits: 0,
    requests: 0,
    responses: 0,
    retranslations: 0,
    accesses: 0,
    misses: 0,
    walkReads: 0,
    updates: 0,
  };
}

/** Adds `times` times what `to` has more than `from`. */
export function addCounts(sum: DirtyCounts, to: DirtyCounts, from: DirtyCounts = noCounts(), times = 1): void {
  for (const name of DIRTY_COUNT_NAMES) sum[name] += (to[name] - from[name]) * times;
}
