import { IorrError } from '../../traces/errors.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { amdV1 } from '../model/formats/amd-v1.ts';
import { armLpae } from '../model/formats/arm-lpae.ts';
import { riscv } from '../model/formats/riscv.ts';
import { vtdSecondStage } from '../model/formats/vtd-second-stage.ts';
import { X86_64 } from '../model/formats/x86-64.ts';
import { pageTableFormat } from '../model/page-table-format.ts';
import type { PageTableFormat } from '../model/page-table-format.ts';

/** A page-table format whose dirty state may be harvested, by the name that `--tables` takes. */
export interface HarvestTables {
  readonly name: string;
  readonly format: PageTableFormat;
  /** Why Linux reads no dirty state from it; undefined where it does. */
  readonly untracked?: string;
  /** What a reader of figures from it must know. */
  readonly caveat?: string;
}

const PRESET =
  'Linux presets accessed and dirty in every leaf of it, so that no write shows (GET_DIRTY_BITMAP: EOPNOTSUPP)';
const NO_TLBI =
  'Linux 7.2.13 issues no TLBI after a harvest of Arm tables (the gather of dirty leaves has no page size, at which ' +
  'arm_smmu_iotlb_sync returns): modelled with one, as intended; --set dirty.flush=0 shows what lacking it loses';

const ONE_TOO_FEW =
  'Linux 7.2.13 cleans the last entry of a dirty leaf of several (any size but 4 KiB, 2 MiB and 1 GiB) without telling it: ' +
  'modelled as intended; --set dirty.contiguous-defect=1 shows what is lost';

function firstStage(): PageTableFormat {
  const format = X86_64[0];
  if (format === undefined) throw new RangeError('no x86-64 format');
  return format;
}

/** Every choice but `auto`. */
export const HARVEST_TABLES: readonly HarvestTables[] = [
  { name: 'vtd-second-stage', format: vtdSecondStage(4) },
  { name: 'x86-64', format: firstStage(), untracked: PRESET },
  { name: 'amd-v1', format: amdV1(), caveat: ONE_TOO_FEW },
  ...([12, 14, 16] as const).map((granuleShift) => ({
    name: `arm-${2 ** (granuleShift - 10)}k`,
    format: armLpae({ stage: 1, granuleShift, hardwareDirty: true }),
    caveat: NO_TLBI,
  })),
  {
    name: 'arm-stage2',
    format: armLpae({ stage: 2, granuleShift: 12 }),
    untracked: 'Linux keeps dirty state in stage 1 only (read_and_clear_dirty: EINVAL)',
  },
  { name: 'riscv', format: riscv(4), untracked: PRESET },
];

/** The tables of a name; `auto`: those of the hardware. Throws `USAGE` for a name that there isn't. */
export function harvestTables(name: string, hardware: HardwareProfile): HarvestTables {
  const wanted = name === 'auto' ? ofHardware(hardware) : name;
  const found = HARVEST_TABLES.find((tables) => tables.name === wanted);
  if (found !== undefined) return found;
  throw new IorrError('USAGE', `unknown tables '${name}'`, {
    hint: `auto, ${HARVEST_TABLES.map((tables) => tables.name).join(', ')}`,
  });
}

function ofHardware(hardware: HardwareProfile): string {
  switch (hardware.architecture) {
    case 'amd':
      return 'amd-v1';
    case 'riscv':
      return 'riscv';
    case 'smmuv3': {
      const granule = parameterOf(hardware, 'page-table.granule');
      return granule >= 16 ? 'arm-64k' : granule >= 14 ? 'arm-16k' : 'arm-4k';
    }
    case 'vtd':
    case 'virtio':
      return 'vtd-second-stage';
  }
}

/** The format without leaves of more than 2^`leafShift` bytes. */
export function withLeaves(format: PageTableFormat, leafShift: number): PageTableFormat {
  const { geometry, pageShift } = format;
  return pageTableFormat({
    ...format,
    leafOrders: format.leafOrders.map((orders, level) => {
      let kept = 0;
      for (let order = 0; order < 32; order++) {
        if ((geometry.shifts[level] ?? 0) + order + pageShift <= leafShift) kept |= orders & (1 << order);
      }
      return kept;
    }),
  });
}

/** `4k`, `64k`, `2m`, `1g` as address bits; -1 for any other text. */
export function leafShiftOf(text: string): number {
  const match = /^(\d{1,3})([kmg])$/i.exec(text);
  const bits = Math.log2(Number(match?.[1]));
  if (match === null || !Number.isInteger(bits)) return -1;
  return bits + (match[2] === 'k' || match[2] === 'K' ? 10 : match[2] === 'm' || match[2] === 'M' ? 20 : 30);
}

/** `4k` of 12. */
export function leafName(leafShift: number): string {
  const [unit, bits] = leafShift >= 30 ? ['g', 30] : leafShift >= 20 ? ['m', 20] : ['k', 10];
  return `${2 ** (leafShift - bits)}${unit}`;
}
