import { DIALECT } from '../../schema.ts';
import { address, layout, layoutDialect, number, truth } from '../command-layout.ts';
import { hex } from '../word-bits.ts';
import { accessText } from './record-text.ts';

/** Ids of events (Arm IHI 0070, 7.3). */
export const SMMUV3_EVENT = {
  badStreamId: 0x02,
  steFetch: 0x03,
  badSte: 0x04,
  streamDisabled: 0x06,
  badSubstreamId: 0x08,
  cdFetch: 0x09,
  badCd: 0x0a,
  translation: 0x10,
  addressSize: 0x11,
  access: 0x12,
  permission: 0x13,
  vmsFetch: 0x25,
} as const;

const EVENT_NAMES: { readonly [id: number]: string } = {
  0x02: 'C_BAD_STREAMID',
  0x03: 'F_STE_FETCH',
  0x04: 'C_BAD_STE',
  0x06: 'F_STREAM_DISABLED',
  0x08: 'C_BAD_SUBSTREAMID',
  0x09: 'F_CD_FETCH',
  0x0a: 'C_BAD_CD',
  0x10: 'F_TRANSLATION',
  0x11: 'F_ADDR_SIZE',
  0x12: 'F_ACCESS',
  0x13: 'F_PERMISSION',
  0x25: 'F_VMS_FETCH',
};

/** SMMUv3 event record, 32 bytes (Arm IHI 0070, 7.3; drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h, EVTQ_*). */
export const SMMUV3_EVENT_LAYOUTS = {
  event: layout(
    [],
    {
      id: number(0, 7, 0),
      ssv: truth(0, 11),
      ssid: number(0, 31, 12),
      sid: number(0, 63, 32),
      tag: number(1, 15, 0),
      stall: truth(1, 31),
      privileged: truth(1, 33),
      instruction: truth(1, 34),
      read: truth(1, 35),
      stage2: truth(1, 39),
      class: number(1, 41, 40),
      tableRead: truth(1, 44),
      address: address(2, 63, 0),
      fetch: address(3, 51, 12),
    },
    (c) =>
      `${EVENT_NAMES[c.id] ?? `event ${hex(c.id)}`} sid ${hex(c.sid)}${c.ssv ? ` ssid ${c.ssid}` : ''} ${hex(c.address)} ${c.read ? 'read' : 'write'}${c.stall ? ` stalled, tag ${c.tag}` : ''}`,
    (c) => (EVENT_NAMES[c.id] === undefined ? [`unknown event ${hex(c.id)}`] : []),
  ),
} as const;

export const smmuv3EventRecords = layoutDialect({
  name: 'smmuv3-evtq',
  id: DIALECT.smmuv3,
  words: 4,
  layouts: SMMUV3_EVENT_LAYOUTS,
  opcode: [],
  typeOf: () => 'event',
  unknown: () => '',
});

/** SMMUv3 page request record, 16 bytes (Arm IHI 0070, chapter 8; arm-smmu-v3.h, PRIQ_*). */
export const SMMUV3_REQUEST_LAYOUTS = {
  'page-request': layout(
    [],
    {
      sid: number(0, 31, 0),
      ssid: number(0, 51, 32),
      privileged: truth(0, 58),
      execute: truth(0, 59),
      read: truth(0, 60),
      write: truth(0, 61),
      last: truth(0, 62),
      ssv: truth(0, 63),
      group: number(1, 8, 0),
      address: address(1, 63, 12),
    },
    (c) => `sid ${hex(c.sid)}${c.ssv ? ` ssid ${c.ssid}` : ''} group ${c.group} ${hex(c.address)} ${accessText(c)}`,
    (c) => (!c.ssv && (c.privileged || c.execute) ? ['privileged or execute without substream'] : []),
  ),
} as const;

export const smmuv3RequestRecords = layoutDialect({
  name: 'smmuv3-priq',
  id: DIALECT.smmuv3,
  words: 2,
  layouts: SMMUV3_REQUEST_LAYOUTS,
  opcode: [],
  typeOf: () => 'page-request',
  unknown: () => '',
});
