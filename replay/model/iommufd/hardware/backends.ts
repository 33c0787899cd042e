import { mockBackend, mockDevice } from '../mock/mock-backend.ts';
import { recordedBackend, recordedTraits, UNKNOWN_HARDWARE } from '../vfio/hardware.ts';
import type { RecordedHardware } from '../vfio/hardware.ts';
import { amd } from './amd.ts';
import type { Hardware, HardwareSpec } from './hardware-backend.ts';
import { smmuv3 } from './smmuv3.ts';
import { vtd } from './vtd.ts';
import { vtdEntries } from './vtd-entries.ts';

/** The kernel's mock driver; its devices' entries are plain memory, like those of VT-d in scalable mode. */
const mock: HardwareSpec = {
  name: 'mock',
  title: "the kernel's mock driver",
  parameters: {},
  create: () => ({
    backend: mockBackend,
    device: () => mockDevice(4).traits,
    regions: [],
    entries: vtdEntries(true),
  }),
};

/** Hardware that answers as a recording shows it to. */
export function asRecorded(hardware: RecordedHardware): Hardware {
  return {
    backend: recordedBackend(hardware),
    device: () => recordedTraits(hardware),
    regions: [],
    entries: vtdEntries(true),
  };
}

const recorded: HardwareSpec = {
  name: 'as-recorded',
  title: 'what a recording shows',
  parameters: {},
  create: () => asRecorded(UNKNOWN_HARDWARE),
};

/** Drivers under the model. A new one is one file and one line here. */
export const HARDWARE: readonly HardwareSpec[] = [mock, recorded, vtd, amd, smmuv3];
