import type { PageTableFormat } from '../page-table-format.ts';
import { AMD_V1 } from './amd-v1.ts';
import { ARM_LPAE } from './arm-lpae.ts';
import { RISCV } from './riscv.ts';
import { VTD_SECOND_STAGE } from './vtd-second-stage.ts';
import { X86_64 } from './x86-64.ts';

/** The formats in the geometries that Linux uses, and those that only the architecture has. Names are unique. */
export const PAGE_TABLE_FORMATS: readonly PageTableFormat[] = [
  ...VTD_SECOND_STAGE,
  ...X86_64,
  ...AMD_V1,
  ...ARM_LPAE,
  ...RISCV,
];
