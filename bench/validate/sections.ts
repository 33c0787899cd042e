import { iotlbReachSection } from './a-iotlb-reach.ts';
import { ringNicSection } from './b-ring-nic.ts';
import { oneQueueSection } from './c-one-queue.ts';
import { smallNumbersSection } from './d-small-numbers.ts';
import { faultQueueSection } from './e-fault-queue.ts';
import type { ValidationSection } from './line.ts';

/** Every section of the validation, in the order of the table. A new one is its file and a line here. */
export const SECTIONS: readonly ValidationSection[] = [
  iotlbReachSection,
  ringNicSection,
  oneQueueSection,
  smallNumbersSection,
  faultQueueSection,
];
