import { DIALECT } from '../schema.ts';
import { formatRequester } from '../units.ts';
import { address, layout, layoutDialect, number, truth } from './command-layout.ts';
import type { LayoutCommand, UndefinedCommand } from './command-layout.ts';
import { SMMUV3_ATC_ALL, SMMUV3_OPCODE, smmuGranuleShift, smmuOpcode } from './smmuv3-fields.ts';
import { hex } from './word-bits.ts';

/**
 * Arm SMMUv3 command queue (Arm IHI 0070 chapter 4; drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h): two words a command. Types are
 * named as in the specification. The commands of the secure queue are there too: no other kind of source shows them.
 */

const SID = number(0, 63, 32);
const SSID = number(0, 31, 12);
const SSV = truth(0, 11);
const SECURE = truth(0, 10);
const VMID = number(0, 47, 32);
const ASID = number(0, 63, 48);
const LEAF = truth(1, 0);
const NON_SECURE = truth(1, 63);

/** `num`, `scale`, `tg` and `ttl` are the raw fields; `tg` 0: no range. */
const RANGE = {
  num: number(0, 16, 12),
  scale: number(0, 24, 20),
  leaf: LEAF,
  ttl: number(1, 9, 8),
  tg: number(1, 11, 10),
} as const;
const VA = { ...RANGE, address: address(1, 63, 12) } as const;
const IPA = { ...RANGE, address: address(1, 51, 12) } as const;

interface Ranged {
  readonly num: number;
  readonly scale: number;
  readonly leaf: boolean;
  readonly ttl: number;
  readonly tg: number;
  readonly address: bigint;
}

const GRANULES = ['', '4K', '16K', '64K'];

function rangeText(c: Ranged): string {
  const pages = c.tg === 0 ? '' : ` pages ${(c.num + 1) * 2 ** c.scale} of ${GRANULES[c.tg]}`;
  const level = c.ttl === 0 ? '' : ` ttl ${c.ttl}`;
  return `addr ${hex(c.address)}${pages}${level}${c.leaf ? ' leaf' : ''}`;
}

function rangeCheck(c: Ranged): readonly string[] {
  if (c.tg === 0) return c.num !== 0 || c.scale !== 0 || c.ttl !== 0 ? ['num, scale or ttl without a granule'] : [];
  const problems: string[] = [];
  // Arm IHI 0070, 4.4.1.1: this combination is reserved
  if (c.num === 0 && c.scale === 0 && c.ttl === 0) problems.push('num, scale and ttl are all 0');
  if ((c.address & ((1n << BigInt(smmuGranuleShift(c.tg))) - 1n)) !== 0n) {
    problems.push(`address is not that of a ${GRANULES[c.tg]} granule`);
  }
  return problems;
}

const streamText = (c: { readonly secure: boolean; readonly sid: number }): string =>
  `sid ${formatRequester(c.sid)}${c.secure ? ' secure' : ''}`;
const ssidText = (c: { readonly ssv: boolean; readonly ssid: number }): string => (c.ssv ? ` ssid ${c.ssid}` : '');
const leafText = (c: { readonly leaf: boolean }): string => (c.leaf ? ' leaf' : '');
const vmText = (c: { readonly vmid: number }): string => `vmid ${c.vmid}`;
const asidText = (c: { readonly asid: number }): string => `asid ${c.asid}`;

const op = (opcode: number): readonly bigint[] => [BigInt(opcode)];
const plain = (opcode: number) => layout(op(opcode), {});
const byVmid = (opcode: number) => layout(op(opcode), { vmid: VMID }, vmText);
const byAsid = (opcode: number) => layout(op(opcode), { asid: ASID }, asidText);
const byVa = (opcode: number) => layout(op(opcode), VA, rangeText, rangeCheck);
const byVmidAsid = (opcode: number) =>
  layout(op(opcode), { vmid: VMID, asid: ASID }, (c) => `${vmText(c)} ${asidText(c)}`);
const byAsidVa = (opcode: number) =>
  layout(op(opcode), { ...VA, asid: ASID }, (c) => `${asidText(c)} ${rangeText(c)}`, rangeCheck);

const PRI_ANSWERS = ['failure', 'invalid', 'success'];
const STALL_ANSWERS = ['terminate', 'retry', 'abort'];
const SIGNALS = ['', ' interrupt', ' event', ' signal 3'];

function messageText(c: { msiAddress: bigint; msiData: number }): string {
  return c.msiAddress === 0n ? '' : ` writes ${hex(c.msiData)} at ${hex(c.msiAddress)}`;
}

export const SMMUV3_LAYOUTS = {
  'prefetch-config': layout(
    op(SMMUV3_OPCODE.prefetchConfig),
    { ssv: SSV, secure: SECURE, ssid: SSID, sid: SID },
    (c) => `${streamText(c)}${ssidText(c)}`,
  ),
  'prefetch-addr': layout(
    op(SMMUV3_OPCODE.prefetchAddress),
    {
      ssv: SSV,
      secure: SECURE,
      ssid: SSID,
      sid: SID,
      size: number(1, 4, 0),
      stride: number(1, 9, 5),
      address: VA.address,
    },
    (c) => `${streamText(c)}${ssidText(c)} addr ${hex(c.address)} size ${c.size} stride ${c.stride}`,
  ),
  'cfgi-ste': layout(
    op(SMMUV3_OPCODE.cfgiSte),
    { secure: SECURE, sid: SID, leaf: LEAF },
    (c) => `${streamText(c)}${leafText(c)}`,
  ),
  'cfgi-ste-range': layout(op(SMMUV3_OPCODE.cfgiSteRange), { secure: SECURE, sid: SID, range: number(1, 4, 0) }, (c) =>
    c.range === 31 ? 'all' : `${streamText(c)} streams ${2 ** (c.range + 1)}`,
  ),
  'cfgi-cd': layout(
    op(SMMUV3_OPCODE.cfgiCd),
    { ssv: SSV, secure: SECURE, ssid: SSID, sid: SID, leaf: LEAF },
    (c) => `${streamText(c)} ssid ${c.ssid}${leafText(c)}`,
  ),
  'cfgi-cd-all': layout(op(SMMUV3_OPCODE.cfgiCdAll), { secure: SECURE, sid: SID }, streamText),
  'cfgi-vms-pidm': layout(op(SMMUV3_OPCODE.cfgiVmsPidm), { secure: SECURE, vmid: VMID }, vmText),
  'tlbi-nh-all': byVmid(SMMUV3_OPCODE.tlbiNhAll),
  'tlbi-nh-asid': byVmidAsid(SMMUV3_OPCODE.tlbiNhAsid),
  'tlbi-nh-va': layout(
    op(SMMUV3_OPCODE.tlbiNhVa),
    { ...VA, vmid: VMID, asid: ASID },
    (c) => `${vmText(c)} ${asidText(c)} ${rangeText(c)}`,
    rangeCheck,
  ),
  'tlbi-nh-vaa': layout(
    op(SMMUV3_OPCODE.tlbiNhVaa),
    { ...VA, vmid: VMID },
    (c) => `${vmText(c)} ${rangeText(c)}`,
    rangeCheck,
  ),
  'tlbi-el3-all': plain(SMMUV3_OPCODE.tlbiEl3All),
  'tlbi-el3-va': byVa(SMMUV3_OPCODE.tlbiEl3Va),
  'tlbi-el2-all': plain(SMMUV3_OPCODE.tlbiEl2All),
  'tlbi-el2-asid': byAsid(SMMUV3_OPCODE.tlbiEl2Asid),
  'tlbi-el2-va': byAsidVa(SMMUV3_OPCODE.tlbiEl2Va),
  'tlbi-el2-vaa': byVa(SMMUV3_OPCODE.tlbiEl2Vaa),
  'tlbi-s12-vmall': byVmid(SMMUV3_OPCODE.tlbiS12Vmall),
  'tlbi-s2-ipa': layout(
    op(SMMUV3_OPCODE.tlbiS2Ipa),
    { ...IPA, vmid: VMID },
    (c) => `${vmText(c)} ${rangeText(c)}`,
    rangeCheck,
  ),
  'tlbi-nsnh-all': plain(SMMUV3_OPCODE.tlbiNsnhAll),
  'atc-inv': layout(
    op(SMMUV3_OPCODE.atcInv),
    { global: truth(0, 9), ssv: SSV, secure: SECURE, ssid: SSID, sid: SID, size: number(1, 5, 0), address: VA.address },
    (c) => {
      const range = c.size >= SMMUV3_ATC_ALL ? 'everything' : `addr ${hex(c.address)} pages ${2 ** c.size}`;
      return `${streamText(c)}${c.global ? ' all ssids' : ssidText(c)} ${range}`;
    },
    (c) => (c.size > SMMUV3_ATC_ALL ? [`size ${c.size} is more than any address space`] : []),
  ),
  'pri-resp': layout(
    op(SMMUV3_OPCODE.priResp),
    { ssv: SSV, secure: SECURE, ssid: SSID, sid: SID, group: number(1, 8, 0), response: number(1, 13, 12) },
    (c) => `${streamText(c)}${ssidText(c)} group ${c.group} ${PRI_ANSWERS[c.response] ?? `response ${c.response}`}`,
    (c) => (c.response > 2 ? [`undefined response ${c.response}`] : []),
  ),
  resume: layout(
    op(SMMUV3_OPCODE.resume),
    { secure: SECURE, response: number(0, 13, 12), sid: SID, tag: number(1, 15, 0) },
    (c) => `${streamText(c)} tag ${c.tag} ${STALL_ANSWERS[c.response] ?? `response ${c.response}`}`,
    (c) => (c.response > 2 ? [`undefined response ${c.response}`] : []),
  ),
  'stall-term': layout(op(SMMUV3_OPCODE.stallTerm), { secure: SECURE, sid: SID }, streamText),
  sync: layout(
    op(SMMUV3_OPCODE.sync),
    {
      signal: number(0, 13, 12),
      shareability: number(0, 23, 22),
      attributes: number(0, 27, 24),
      msiData: number(0, 63, 32),
      msiAddress: address(1, 51, 2),
    },
    (c) => `${SIGNALS[c.signal] ?? ''}${messageText(c)}`.trimStart(),
    (c) => (c.signal > 2 ? [`undefined completion signal ${c.signal}`] : []),
  ),
  'tlbi-s-el2-all': plain(SMMUV3_OPCODE.tlbiSEl2All),
  'tlbi-s-el2-asid': byAsid(SMMUV3_OPCODE.tlbiSEl2Asid),
  'tlbi-s-el2-va': byAsidVa(SMMUV3_OPCODE.tlbiSEl2Va),
  'tlbi-s-el2-vaa': byVa(SMMUV3_OPCODE.tlbiSEl2Vaa),
  'tlbi-s-s12-vmall': byVmid(SMMUV3_OPCODE.tlbiSS12Vmall),
  'tlbi-s-s2-ipa': layout(
    op(SMMUV3_OPCODE.tlbiSS2Ipa),
    { ...IPA, vmid: VMID, nonSecure: NON_SECURE },
    (c) => `${vmText(c)} ${rangeText(c)}${c.nonSecure ? ' non-secure' : ''}`,
    rangeCheck,
  ),
  'tlbi-snh-all': plain(SMMUV3_OPCODE.tlbiSnhAll),
} as const;

/** A command of the command queue. */
export type Smmuv3Command = LayoutCommand<typeof SMMUV3_LAYOUTS> | UndefinedCommand;

const BY_OPCODE: readonly (keyof typeof SMMUV3_LAYOUTS | undefined)[] = (() => {
  const names = Object.keys(SMMUV3_LAYOUTS) as (keyof typeof SMMUV3_LAYOUTS)[];
  const table: (keyof typeof SMMUV3_LAYOUTS | undefined)[] = Array.from({ length: 256 });
  for (const name of names) table[Number(SMMUV3_LAYOUTS[name].fixed[0])] = name;
  return table;
})();

/** Arm SMMUv3: the command queue. */
export const smmuv3Dialect = layoutDialect({
  name: 'smmuv3',
  id: DIALECT.smmuv3,
  words: 2,
  layouts: SMMUV3_LAYOUTS,
  completion: 'sync',
  deviceTlb: ['atc-inv'],
  opcode: [0xffn],
  typeOf: (w0Lo) => BY_OPCODE[smmuOpcode(w0Lo)],
  unknown: (w0Lo) => `opcode ${hex(smmuOpcode(w0Lo))}`,
});
