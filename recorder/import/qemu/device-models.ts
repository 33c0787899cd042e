import type { DeviceModel } from './device-model.ts';
import { vtd } from './vtd.ts';

/** Every emulated IOMMU whose events are understood. To add one: a file, a fixture, a line here. */
export const DEVICE_MODELS: readonly DeviceModel[] = [vtd];
