import { DIALECT } from '../../schema.ts';
import { formatRequester } from '../../units.ts';
import { address, layout, layoutDialect, number, truth } from '../command-layout.ts';
import { hex } from '../word-bits.ts';
import { accessText } from './record-text.ts';

/** VT-d page request descriptor, 32 bytes (VT-d spec 7.4.1; drivers/iommu/intel/prq.c, struct page_req_dsc). */
export const VTD_REQUEST_LAYOUTS = {
  'page-request': layout(
    [1n],
    {
      pasidPresent: truth(0, 8),
      privatePresent: truth(0, 9),
      rid: number(0, 31, 16),
      pasid: number(0, 51, 32),
      execute: truth(0, 52),
      privileged: truth(0, 53),
      read: truth(1, 0),
      write: truth(1, 1),
      last: truth(1, 2),
      group: number(1, 11, 3),
      address: address(1, 63, 12),
      private0: address(2, 63, 0),
      private1: address(3, 63, 0),
    },
    (c) =>
      `rid ${formatRequester(c.rid)}${c.pasidPresent ? ` pasid ${c.pasid}` : ''} group ${c.group} ${hex(c.address)} ${accessText(c)}`,
    (c) => (!c.privatePresent && (c.private0 | c.private1) !== 0n ? ['private data that is not announced'] : []),
  ),
} as const;

export const vtdRequestRecords = layoutDialect({
  name: 'vtd-prq',
  id: DIALECT.vtd,
  words: 4,
  layouts: VTD_REQUEST_LAYOUTS,
  opcode: [0xffn],
  typeOf: (w0Lo) => ((w0Lo & 0xff) === 1 ? 'page-request' : undefined),
  unknown: (w0Lo) => `type ${w0Lo & 0xff}`,
});

/** VT-d fault recording register, 16 bytes (VT-d spec 11.4.14; drivers/iommu/intel/iommu.h, dma_frcd_*). */
export const VTD_FAULT_LAYOUTS = {
  fault: layout(
    [],
    {
      address: address(0, 63, 12),
      rid: number(1, 15, 0),
      type2: truth(1, 28),
      privileged: truth(1, 29),
      execute: truth(1, 30),
      pasidPresent: truth(1, 31),
      reason: number(1, 39, 32),
      pasid: number(1, 59, 40),
      addressType: number(1, 61, 60),
      type1: truth(1, 62),
      valid: truth(1, 63),
    },
    (c) =>
      `rid ${formatRequester(c.rid)}${c.pasidPresent ? ` pasid ${c.pasid}` : ''} ${hex(c.address)} ${c.type1 ? 'read' : 'write'} reason ${hex(c.reason)}`,
    (c) => (c.valid ? [] : ['not a fault: F is 0']),
  ),
} as const;

export const vtdFaultRecords = layoutDialect({
  name: 'vtd-frcd',
  id: DIALECT.vtd,
  words: 2,
  layouts: VTD_FAULT_LAYOUTS,
  opcode: [],
  typeOf: () => 'fault',
  unknown: () => '',
});
