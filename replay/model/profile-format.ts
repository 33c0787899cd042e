import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { amdV1 } from './formats/amd-v1.ts';
import { armLpae } from './formats/arm-lpae.ts';
import { riscv } from './formats/riscv.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import type { PageTableFormat } from './page-table-format.ts';

/** The formats that the hardware of a profile walks: `own` for most domains, `guest` for those of a second stage alone. */
export interface ProfileFormats {
  readonly own: PageTableFormat;
  readonly guest: PageTableFormat;
}

export function formatsOfProfile(profile: HardwareProfile): ProfileFormats {
  const value = (name: string): number => parameterOf(profile, name);
  switch (profile.architecture) {
    case 'smmuv3': {
      const granule = value('page-table.granule');
      const granuleShift = granule >= 16 ? 16 : granule >= 14 ? 14 : 12;
      return { own: armLpae({ stage: 1, granuleShift }), guest: armLpae({ stage: 2, granuleShift }) };
    }
    case 'amd':
      return both(amdV1({ levels: value('page-table.levels') }));
    case 'riscv':
      return both(riscv(value('page-table.levels')));
    case 'vtd':
      return both(vtdSecondStage(value('page-table.levels'), value('page-table.leafs')));
    case 'virtio':
      return both(vtdSecondStage(value('page-table.levels')));
  }
}

function both(format: PageTableFormat): ProfileFormats {
  return { own: format, guest: format };
}
