import { amdDialect } from './amd.ts';
import type { CommandDialect } from './dialect.ts';
import { riscvDialect } from './riscv.ts';
import { smmuv3Dialect } from './smmuv3.ts';
import { virtioDialect } from './virtio.ts';
import { vtdDialect } from './vtd.ts';

/** Every dialect that is known, by the `dialect` column of inv events. */
export const DIALECTS: readonly CommandDialect[] = [vtdDialect, smmuv3Dialect, amdDialect, riscvDialect, virtioDialect];

/** The dialect of an inv event, or undefined for one that has no decoder. */
export function dialectById(id: number): CommandDialect | undefined {
  return DIALECTS[id];
}
