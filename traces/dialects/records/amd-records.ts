import { DIALECT } from '../../schema.ts';
import { formatRequester } from '../../units.ts';
import { address, layout, layoutDialect, number, truth } from '../command-layout.ts';
import { hex } from '../word-bits.ts';

const TYPE = 0xfn << 60n;

function typeOfRecord(w0Hi: number): number {
  return w0Hi >>> 28;
}

/** AMD peripheral page request, 16 bytes (48882, 2.6; drivers/iommu/amd/amd_iommu_types.h, PPR_*). */
export const AMD_REQUEST_LAYOUTS = {
  'page-request': layout(
    [1n << 60n],
    {
      device: number(0, 15, 0),
      pasid: number(0, 31, 16, [0, 45, 42]),
      tag: number(0, 40, 32),
      last: truth(0, 41),
      execute: truth(0, 49),
      read: truth(0, 50),
      write: truth(0, 53),
      user: truth(0, 54),
      reservedBit: truth(0, 55),
      guest: truth(0, 56),
      address: address(1, 63, 12),
    },
    (c) => {
      const access = (['read', 'write', 'execute', 'user', 'last'] as const).filter((name) => c[name]).join(' ');
      return `device ${formatRequester(c.device)}${c.guest ? ` pasid ${c.pasid}` : ''} tag ${c.tag} ${hex(c.address)} ${access}`;
    },
    (c) => (c.reservedBit ? ['malformed by the hardware (RSVD)'] : []),
  ),
} as const;

export const amdRequestRecords = layoutDialect({
  name: 'amd-ppr',
  id: DIALECT.amd,
  words: 2,
  layouts: AMD_REQUEST_LAYOUTS,
  opcode: [TYPE],
  typeOf: (_lo, w0Hi) => (typeOfRecord(w0Hi) === 1 ? 'page-request' : undefined),
  unknown: (_lo, w0Hi) => `type ${typeOfRecord(w0Hi)}`,
});

/** AMD event log entry of type 2, 16 bytes (48882, 2.5.3; amd_iommu_types.h, EVENT_*). `pasid`: the domain where `guest` is not set. */
export const AMD_FAULT_LAYOUTS = {
  'io-page-fault': layout(
    [2n << 60n],
    {
      device: number(0, 15, 0),
      pasid: number(0, 47, 32, [0, 19, 16]),
      guest: truth(0, 48),
      execute: truth(0, 49),
      user: truth(0, 50),
      interrupt: truth(0, 51),
      present: truth(0, 52),
      write: truth(0, 53),
      permission: truth(0, 54),
      reservedBit: truth(0, 55),
      translation: truth(0, 56),
      address: address(1, 63, 0),
    },
    (c) =>
      `device ${formatRequester(c.device)} ${c.guest ? 'pasid' : 'domain'} ${c.pasid} ${hex(c.address)} ${c.write ? 'write' : 'read'}${c.present ? '' : ' not present'}`,
  ),
} as const;

export const amdFaultRecords = layoutDialect({
  name: 'amd-event-log',
  id: DIALECT.amd,
  words: 2,
  layouts: AMD_FAULT_LAYOUTS,
  opcode: [TYPE],
  typeOf: (_lo, w0Hi) => (typeOfRecord(w0Hi) === 2 ? 'io-page-fault' : undefined),
  unknown: (_lo, w0Hi) => `event ${typeOfRecord(w0Hi)}`,
});
