import type { ProfileParameter, Standing } from '../results.ts';
import type { HardwareProfile } from './profile.ts';

const geometry = 'no vendor publishes it; sizes of this order are inferred from reach measurements';

function of(
  name: string,
  value: number,
  unit: string,
  source: string,
  standing: Standing = 'assumed',
): ProfileParameter {
  return { name, value, unit, source, standing };
}

/** A server's VT-d unit with plausible caches. Every geometry is assumed: fit it with measurements before trusting rates. */
export const vtdServer: HardwareProfile = {
  name: 'vtd-64x4',
  summary: 'a generic VT-d unit: IOTLB of 64 sets x 4 ways, LRU, paging-structure caches (all assumed)',
  iotlb: 'set-associative',
  parameters: [
    of('iotlb.sets', 64, 'sets', geometry),
    of('iotlb.ways', 4, 'ways', geometry),
    of('iotlb.hashed', 0, 'flag', geometry),
    of('iotlb.refill-invalid-first', 1, 'flag', geometry),
    of('page-table.levels', 4, 'levels', 'CAP.SAGAW of current servers: 48 bits', 'published'),
    of('page-table.leafs', 0b111, 'bit set', 'CAP.SSLPS of current servers: 2 MiB and 1 GiB', 'published'),
    of('command.max-mask', 18, 'log2 pages', 'CAP.MAMV of current servers', 'published'),
    of('walk-cache.l1', 32, 'entries', geometry),
    of('walk-cache.l2', 16, 'entries', geometry),
    of('walk-cache.l3', 8, 'entries', geometry),
    of('walk-cache.l4', 0, 'entries', geometry),
  ],
};
