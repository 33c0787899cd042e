/**
 * SMMUv3 commands on int32 words, for hot loops: no object, no BigInt. Layout: Arm IHI 0070 chapter 4,
 * drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h (CMDQ_*).
 */

/** Opcode, bits 7:0 of the first word. */
export const SMMUV3_OPCODE = {
  prefetchConfig: 0x01,
  prefetchAddress: 0x02,
  cfgiSte: 0x03,
  cfgiSteRange: 0x04,
  cfgiCd: 0x05,
  cfgiCdAll: 0x06,
  cfgiVmsPidm: 0x07,
  tlbiNhAll: 0x10,
  tlbiNhAsid: 0x11,
  tlbiNhVa: 0x12,
  tlbiNhVaa: 0x13,
  tlbiEl3All: 0x18,
  tlbiEl3Va: 0x1a,
  tlbiEl2All: 0x20,
  tlbiEl2Asid: 0x21,
  tlbiEl2Va: 0x22,
  tlbiEl2Vaa: 0x23,
  tlbiS12Vmall: 0x28,
  tlbiS2Ipa: 0x2a,
  tlbiNsnhAll: 0x30,
  atcInv: 0x40,
  priResp: 0x41,
  resume: 0x44,
  stallTerm: 0x45,
  sync: 0x46,
  tlbiSEl2All: 0x50,
  tlbiSEl2Asid: 0x51,
  tlbiSEl2Va: 0x52,
  tlbiSEl2Vaa: 0x53,
  tlbiSS12Vmall: 0x58,
  tlbiSS2Ipa: 0x5a,
  tlbiSnhAll: 0x60,
} as const;

/** Order of an ATC_INV from which on it means everything. */
export const SMMUV3_ATC_ALL = 52;

export function smmuOpcode(w0Lo: number): number {
  return w0Lo & 0xff;
}

/** True for TLBI commands of any kind but those of the secure queue. */
export function smmuIsTlbi(w0Lo: number): boolean {
  const opcode = w0Lo & 0xff;
  return opcode >= 0x10 && opcode <= 0x30;
}

/** True for the TLBI commands that name an address (and may name a range): NH_VA, NH_VAA, EL3_VA, EL2_VA, EL2_VAA, S2_IPA. */
export function smmuIsTlbiRange(w0Lo: number): boolean {
  switch (w0Lo & 0xff) {
    case SMMUV3_OPCODE.tlbiNhVa:
    case SMMUV3_OPCODE.tlbiNhVaa:
    case SMMUV3_OPCODE.tlbiEl3Va:
    case SMMUV3_OPCODE.tlbiEl2Va:
    case SMMUV3_OPCODE.tlbiEl2Vaa:
    case SMMUV3_OPCODE.tlbiS2Ipa:
      return true;
    default:
      return false;
  }
}

/** True where the SSID field is valid. */
export function smmuSsv(w0Lo: number): boolean {
  return (w0Lo & 0x800) !== 0;
}

/** SSID (PASID) of PREFETCH, CFGI_CD, ATC_INV and PRI_RESP. */
export function smmuSsid(w0Lo: number): number {
  return w0Lo >>> 12;
}

/** StreamID of PREFETCH, CFGI, ATC_INV, PRI_RESP, RESUME and STALL_TERM: 32 bits, unsigned. */
export function smmuSid(w0Hi: number): number {
  return w0Hi >>> 0;
}

/** VMID of TLBI commands that have one. */
export function smmuVmid(w0Hi: number): number {
  return w0Hi & 0xffff;
}

/** ASID of TLBI commands that have one. */
export function smmuAsid(w0Hi: number): number {
  return w0Hi >>> 16;
}

/** True where only leaf entries changed, so that walk caches stay (TLBI by address); of CFGI: only the STE or CD itself. */
export function smmuLeaf(w1Lo: number): boolean {
  return (w1Lo & 1) !== 0;
}

/** Level of the leaf that the command is about, 1 to 3; 0 where it is not known. */
export function smmuTtl(w1Lo: number): number {
  return (w1Lo >>> 8) & 3;
}

/** Translation granule of a range: 1 4K, 2 16K, 3 64K; 0: the command names one address and no range. */
export function smmuTg(w1Lo: number): number {
  return (w1Lo >>> 10) & 3;
}

/** log2 of the bytes of a granule by TG; 12 where there is no range. */
export function smmuGranuleShift(tg: number): number {
  return tg === 0 ? 12 : 10 + 2 * tg;
}

/** NUM field of a range: its number of units less one. */
export function smmuNum(w0Lo: number): number {
  return (w0Lo >>> 12) & 31;
}

/** SCALE field of a range: log2 of the unit in granules. */
export function smmuScale(w0Lo: number): number {
  return (w0Lo >>> 20) & 31;
}

/** First 4 KiB page of a TLBI by address or of an ATC_INV, exact. */
export function smmuFirstPage(w1Lo: number, w1Hi: number): number {
  return (w1Hi >>> 0) * 0x100000 + (w1Lo >>> 12);
}

/**
 * 4 KiB pages that a TLBI by address names: (NUM + 1) x 2^SCALE granules, 1 page without TG. A double: up to 2^40 is exact.
 * A command without range drops whatever entry holds its address, however large that is.
 */
export function smmuRangePages(w0Lo: number, w1Lo: number): number {
  const tg = smmuTg(w1Lo);
  if (tg === 0) return 1;
  return (smmuNum(w0Lo) + 1) * 2 ** (smmuScale(w0Lo) + smmuGranuleShift(tg) - 12);
}

/** log2 of the 4 KiB pages of an ATC_INV; 52 or more: everything. */
export function smmuAtcOrder(w1Lo: number): number {
  return w1Lo & 0x3f;
}

/** True for an ATC_INV of all SSIDs (Global). */
export function smmuAtcGlobal(w0Lo: number): boolean {
  return (w0Lo & 0x200) !== 0;
}

/** RANGE of CFGI_STE_RANGE: 2^(RANGE + 1) streams, 31: all (CFGI_ALL). */
export function smmuSteRange(w1Lo: number): number {
  return w1Lo & 31;
}

/** Completion signal of SYNC: 0 none, 1 interrupt or message, 2 event. */
export function smmuSyncSignal(w0Lo: number): number {
  return (w0Lo >>> 12) & 3;
}

/** Page request group of PRI_RESP. */
export function smmuPriGroup(w1Lo: number): number {
  return w1Lo & 0x1ff;
}

/** Answer of PRI_RESP: 0 deny (failure), 1 fail (invalid request), 2 success. */
export function smmuPriResponse(w1Lo: number): number {
  return (w1Lo >>> 12) & 3;
}

/** Answer of RESUME: 0 terminate, 1 retry, 2 abort. */
export function smmuResumeResponse(w0Lo: number): number {
  return (w0Lo >>> 12) & 3;
}

/** Stall tag of RESUME. */
export function smmuStallTag(w1Lo: number): number {
  return w1Lo & 0xffff;
}
