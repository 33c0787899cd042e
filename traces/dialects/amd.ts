import { DIALECT } from '../schema.ts';
import { formatRequester, highWord, lowWord } from '../units.ts';
import { AMD_COMMAND, amdCommand, amdFirstPage } from './amd-fields.ts';
import { address, layout, layoutDialect, number, truth } from './command-layout.ts';
import type { LayoutCommand, UndefinedCommand } from './command-layout.ts';
import { sizeCodeOrder } from './vtd-fields.ts';
import { hex } from './word-bits.ts';

/**
 * AMD IOMMU command buffer (AMD I/O Virtualization Technology specification, 48882, 2.4; drivers/iommu/amd/amd_iommu_types.h):
 * two words a command, of which the specification speaks as four 32-bit ones.
 */

const DEVICE = number(0, 15, 0);
const PASID = number(0, 51, 32);
const SIZE = truth(1, 0);
const GUEST = truth(1, 2);
const ADDRESS = address(1, 63, 12);

const op = (command: number): readonly bigint[] => [BigInt(command) << 60n];
const deviceText = (c: { readonly device: number }): string => `dev ${formatRequester(c.device)}`;
const pasidText = (c: { readonly guest: boolean; readonly pasid: number }): string =>
  c.guest ? ` pasid ${c.pasid}` : '';

/** Size codes are those of PCIe: ones from address bit 12 on, ended by a 0. */
function rangeText(c: { readonly size: boolean; readonly address: bigint }): string {
  const lo = lowWord(c.address);
  const hi = highWord(c.address);
  const order = sizeCodeOrder(c.size, lo, hi);
  return order >= 52 ? 'everything' : `addr ${hex(amdFirstPage(order, lo, hi) * 4096)} pages ${2 ** order}`;
}

const ANSWERS: { readonly [status: number]: string } = { 0: 'success', 1: 'invalid', 15: 'failure' };

export const AMD_LAYOUTS = {
  'completion-wait': layout(
    op(AMD_COMMAND.completionWait),
    {
      store: truth(0, 0),
      interrupt: truth(0, 1),
      flush: truth(0, 2),
      storeAddress: address(0, 51, 3),
      data: address(1, 63, 0),
    },
    (c) => {
      const store = c.store ? ` stores ${hex(c.data)} at ${hex(c.storeAddress)}` : '';
      return `${store}${c.interrupt ? ' interrupt' : ''}${c.flush ? ' flush' : ''}`.trimStart();
    },
  ),
  'invalidate-devtab-entry': layout(op(AMD_COMMAND.devtabEntry), { device: DEVICE }, deviceText),
  'invalidate-iommu-pages': layout(
    op(AMD_COMMAND.pages),
    {
      pasid: number(0, 19, 0),
      domain: number(0, 47, 32),
      size: SIZE,
      pde: truth(1, 1),
      guest: GUEST,
      address: ADDRESS,
    },
    (c) => `did ${c.domain}${pasidText(c)} ${rangeText(c)}${c.pde ? ' pde' : ''}`,
  ),
  'invalidate-iotlb-pages': layout(
    op(AMD_COMMAND.iotlbPages),
    {
      device: DEVICE,
      queueDepth: number(0, 31, 24),
      queueId: number(0, 47, 32),
      pasid: number(0, 55, 48, [0, 23, 16], [0, 59, 56]),
      size: SIZE,
      guest: GUEST,
      transaction: number(1, 5, 4),
      address: ADDRESS,
    },
    (c) => `${deviceText(c)}${pasidText(c)} ${rangeText(c)} queue ${c.queueId} qdep ${c.queueDepth}`,
  ),
  'invalidate-interrupt-table': layout(op(AMD_COMMAND.interruptTable), { device: DEVICE }, deviceText),
  'prefetch-iommu-pages': layout(
    op(AMD_COMMAND.prefetch),
    {
      device: DEVICE,
      count: number(0, 31, 24),
      pasid: PASID,
      size: SIZE,
      guest: GUEST,
      invalidate: truth(1, 4),
      address: ADDRESS,
    },
    (c) => `${deviceText(c)}${pasidText(c)} ${rangeText(c)} count ${c.count}${c.invalidate ? ' invalidate' : ''}`,
  ),
  'complete-ppr-request': layout(
    op(AMD_COMMAND.completePpr),
    { device: DEVICE, pasid: PASID, guest: GUEST, tag: number(1, 41, 32), status: number(1, 47, 44) },
    (c) => `${deviceText(c)}${pasidText(c)} tag ${c.tag} ${ANSWERS[c.status] ?? `status ${c.status}`}`,
    (c) => (ANSWERS[c.status] === undefined ? [`undefined status ${c.status}`] : []),
  ),
  'invalidate-iommu-all': layout(op(AMD_COMMAND.all), {}),
} as const;

/** A command of the command buffer. */
export type AmdCommand = LayoutCommand<typeof AMD_LAYOUTS> | UndefinedCommand;

/** By command code, from 1 on. */
const NAMES = Object.keys(AMD_LAYOUTS) as (keyof typeof AMD_LAYOUTS)[];

/** AMD IOMMU: the command buffer. */
export const amdDialect = layoutDialect({
  name: 'amd',
  id: DIALECT.amd,
  words: 2,
  layouts: AMD_LAYOUTS,
  completion: 'completion-wait',
  deviceTlb: ['invalidate-iotlb-pages'],
  opcode: [0xfn << 60n],
  typeOf: (_w0Lo, w0Hi) => NAMES[amdCommand(w0Hi) - 1],
  unknown: (_w0Lo, w0Hi) => `command ${amdCommand(w0Hi)}`,
});
