import { pageTableFormat } from '../page-table-format.ts';
import type { PageTableFormat } from '../page-table-format.ts';

const VALID = 0b01;
const TABLE = 0b10;
const AP_UNPRIVILEGED = 0x40;
const AP_READ_ONLY = 0x80;
const S2_READ = 0x40;
const S2_WRITE = 0x80;
const INNER_SHAREABLE = 0x300;
const AF = 0x400;
const NG = 0x800;
const ATTRIBUTE_CACHED = 1 << 2;
const MEMATTR_WRITE_BACK = 0xf << 2;
const DBM = 1 << 19;
const CONTIGUOUS = 1 << 20;
const APTABLE_READ_ONLY = 1 << 30;
/** Tables that stage 2 may put side by side in place of one more level. */
const MOST_CONCATENATED_BITS = 4;

export interface ArmLpaeOptions {
  readonly stage: 1 | 2;
  readonly granuleShift: 12 | 14 | 16;
  /** Up to 48; 52 with a granule of 64 KiB. */
  readonly inputBits?: number;
  readonly outputBits?: number;
  /** Leaves of 16, 32 or 128 entries with the contiguous hint; Linux's io-pgtable doesn't use it. */
  readonly contiguous?: boolean;
  /** Writable leaves have DBM, so that hardware keeps their dirty state (IO_PGTABLE_QUIRK_ARM_HD). */
  readonly hardwareDirty?: boolean;
  /** Stage 2 only; default: where the architecture demands it (Arm ARM R_DXBSH, R_SRKBC). */
  readonly concatenated?: boolean;
}

/**
 * Arm's 64-bit LPAE tables (Arm ARM D8; drivers/iommu/io-pgtable-arm.c). Levels count from the leaf here: level 0 is Arm's
 * level 3. As Linux writes them for coherent devices: inner shareable, cached, accessed; stage 1 not global and unprivileged.
 */
export function armLpae(options: ArmLpaeOptions): PageTableFormat {
  const { stage, granuleShift, contiguous = false, hardwareDirty = false } = options;
  const { inputBits = 48, outputBits = 48 } = options;
  const indexBits = granuleShift - 3;
  let levels = Math.ceil((inputBits - granuleShift) / indexBits);
  const rootBits = inputBits - granuleShift - indexBits * (levels - 1);
  const concatenated = options.concatenated ?? mustConcatenate(granuleShift, levels, inputBits, outputBits);
  if (stage === 2 && concatenated && rootBits <= MOST_CONCATENATED_BITS && levels > 1) levels--;
  const dbm = hardwareDirty ? DBM : 0;
  const perms = stage === 1 ? stage1 : stage2;
  return pageTableFormat({
    name: nameOf(options, inputBits, outputBits, levels),
    pageShift: 12,
    granuleShift,
    indexBits,
    levels,
    maxLevels: levels,
    inputBits,
    signExtended: false,
    outputBits,
    leafOrders: Array.from({ length: levels }, (_, level) => ordersOf(granuleShift, level, outputBits, contiguous)),
    rules: 'lpae',
    presentMask: VALID,
    tableMask: VALID | TABLE,
    tableKind: VALID | TABLE,
    tableStep: 0,
    kindMask: TABLE,
    kindAdd: 0,
    leafMask: TABLE,
    leafKind: 0,
    addressShift: 12,
    addressHigh: 0xffff,
    addressNibble: granuleShift === 16 && outputBits > 48,
    tableLow: Array.from({ length: levels }, () => VALID | TABLE),
    tableHigh: 0,
    leafLow: perms.low,
    leafHigh: [dbm, 0, dbm, dbm],
    leafMark: Array.from({ length: levels }, (_, level) => (level === 0 ? VALID | TABLE : VALID)),
    keptLow: 0xffc,
    keptHigh: (~0xfffff & ~CONTIGUOUS) | DBM,
    ...(contiguous
      ? {
          group: {
            replicated: false,
            low: () => 0,
            high: () => CONTIGUOUS,
            order: (_: number, high: number, level: number) =>
              (high & CONTIGUOUS) === 0 ? 0 : contiguousOrder(granuleShift, level),
          },
        }
      : {}),
    accessed: AF,
    tablesAccessed: false,
    dirty: perms.dirty,
    permission: perms.permission,
  });
}

const ATTRIBUTES_1 = NG | AF | INNER_SHAREABLE | AP_UNPRIVILEGED | ATTRIBUTE_CACHED;
const ATTRIBUTES_2 = AF | INNER_SHAREABLE | MEMATTR_WRITE_BACK;

type Permissions = Pick<PageTableFormat, 'dirty' | 'permission'> & { readonly low: PageTableFormat['leafLow'] };

/** A page can't be write-only. With DBM, a read-only page is a writable one that is clean. */
const stage1: Permissions = {
  low: [ATTRIBUTES_1, ATTRIBUTES_1 | AP_READ_ONLY, ATTRIBUTES_1, ATTRIBUTES_1],
  dirty: { trackedHigh: DBM, mask: AP_READ_ONLY, dirty: 0 },
  permission: (low, high, leaf) => {
    if (!leaf) return (high & APTABLE_READ_ONLY) === 0 ? 3 : 1;
    return (low & AP_READ_ONLY) === 0 || (high & DBM) !== 0 ? 3 : 1;
  },
};

const stage2: Permissions = {
  low: [
    ATTRIBUTES_2 | S2_READ | S2_WRITE,
    ATTRIBUTES_2 | S2_READ,
    ATTRIBUTES_2 | S2_WRITE,
    ATTRIBUTES_2 | S2_READ | S2_WRITE,
  ],
  dirty: { trackedHigh: DBM, mask: S2_WRITE, dirty: S2_WRITE },
  permission: (low, high, leaf) => (leaf ? ((low >>> 6) & 3) | ((high & DBM) === 0 ? 0 : 2) : 3),
};

/** Pages and blocks: 4 KiB, 2 MiB, 1 GiB; 16 KiB, 32 MiB; 64 KiB, 512 MiB, and 4 TiB with 52 output bits. */
function ordersOf(granuleShift: number, level: number, outputBits: number, contiguous: boolean): number {
  const blocks = granuleShift === 12 || (granuleShift === 16 && outputBits > 48) ? 3 : 2;
  if (level >= blocks) return 0;
  return contiguous ? 1 | (1 << contiguousOrder(granuleShift, level)) : 1;
}

/** log2 of the entries under one contiguous hint; 0 where there is none. */
function contiguousOrder(granuleShift: number, level: number): number {
  if (granuleShift === 12) return 4;
  if (level > 1) return 0;
  return granuleShift === 14 && level === 0 ? 7 : 5;
}

function mustConcatenate(granuleShift: number, levels: number, inputBits: number, outputBits: number): boolean {
  const startLevel = 4 - levels;
  if (granuleShift === 14 && startLevel === 0) return outputBits === 48 || inputBits === 48;
  if (granuleShift === 12 && startLevel === 0) return outputBits === 40 || outputBits === 42;
  return granuleShift === 14 && startLevel === 1 && outputBits === 40;
}

function nameOf(options: ArmLpaeOptions, inputBits: number, outputBits: number, levels: number): string {
  const bits = inputBits === outputBits ? `${inputBits}` : `${inputBits}-${outputBits}`;
  const name = `arm-s${options.stage}-${2 ** (options.granuleShift - 10)}k-${bits}-${levels}l`;
  return name + (options.contiguous === true ? '-contiguous' : '') + (options.hardwareDirty === true ? '-dbm' : '');
}

const GRANULES = [12, 14, 16] as const;
const STAGES = [1, 2] as const;

export const ARM_LPAE: readonly PageTableFormat[] = STAGES.flatMap((stage) => [
  ...GRANULES.map((granuleShift) => armLpae({ stage, granuleShift })),
  ...GRANULES.map((granuleShift) => armLpae({ stage, granuleShift, contiguous: true, hardwareDirty: true })),
  armLpae({ stage, granuleShift: 12, inputBits: 39, outputBits: 40 }),
  armLpae({ stage, granuleShift: 16, inputBits: 52, outputBits: 52, hardwareDirty: true }),
  ...(stage === 2
    ? [
        armLpae({ stage, granuleShift: 12, inputBits: 42, outputBits: 42 }),
        armLpae({ stage, granuleShift: 14, inputBits: 40, outputBits: 40, contiguous: true }),
      ]
    : []),
]);
