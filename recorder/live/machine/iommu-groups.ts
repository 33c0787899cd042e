import type { System } from '../system.ts';

export interface ReservedRegion {
  /** First and last address, as hexadecimal text: 64 bits. */
  readonly start: string;
  readonly end: string;
  /** `direct`, `direct-relaxable`, `reserved`, `msi` (drivers/iommu/iommu.c). */
  readonly type: string;
}

export interface IommuGroup {
  readonly id: number;
  /** `DMA`, `DMA-FQ`, `identity`, `blocked`, `unmanaged`. */
  readonly type: string | null;
  readonly devices: readonly string[];
  readonly reserved: readonly ReservedRegion[];
}

const FOLDER = '/sys/kernel/iommu_groups';
const MAX_GROUPS = 4096;
const MAX_REGIONS = 64;

// 0x00000000fee00000 0x00000000feefffff msi
const REGION = /^(0x[0-9a-f]{1,16}) (0x[0-9a-f]{1,16}) ([a-z-]{1,32})$/;

function parseRegions(text: string): ReservedRegion[] {
  return text
    .split('\n')
    .slice(0, MAX_REGIONS)
    .flatMap((line) => {
      const match = REGION.exec(line.trim());
      return match === null ? [] : [{ start: match[1] ?? '', end: match[2] ?? '', type: match[3] ?? '' }];
    });
}

export function readIommuGroups(system: System): readonly IommuGroup[] {
  const ids = system
    .list(FOLDER)
    .filter((name) => /^\d{1,9}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
    .slice(0, MAX_GROUPS);
  return ids.map((id) => ({
    id,
    type: system.read(`${FOLDER}/${id}/type`)?.trim() ?? null,
    devices: system.list(`${FOLDER}/${id}/devices`),
    reserved: parseRegions(system.read(`${FOLDER}/${id}/reserved_regions`) ?? ''),
  }));
}
