import { ABSENT } from '../../../../traces/units.ts';
import type { Words } from '../../../import/calls/words.ts';
import { textOfWords } from '../open-file.ts';

/** `0000:00:1f.6` */
const PCI_DEVICE = /^[0-9a-f]{4,8}:([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/;

/** Requester id of a device by the name that the kernel gives it; `ABSENT` for one that is no PCI function. */
export function requesterOf(name: readonly Words[]): number {
  const [, bus = '', slot = '', fn = ''] = PCI_DEVICE.exec(textOfWords(name)) ?? [];
  if (bus === '') return ABSENT;
  return (Number.parseInt(bus, 16) << 8) | (Number.parseInt(slot, 16) << 3) | Number(fn);
}
