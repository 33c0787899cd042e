import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import type { PageTableFormat } from './page-table-format.ts';

/** Page-table format that the hardware of a profile walks. */
export function formatOfProfile(profile: HardwareProfile): PageTableFormat {
  const value = (name: string): number => parameterOf(profile, name);
  return vtdSecondStage(value('page-table.levels'), value('page-table.leafs'));
}
