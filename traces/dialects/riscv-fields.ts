/**
 * RISC-V IOMMU commands on int32 words, for hot loops: no object, no BigInt. Layout: RISC-V IOMMU architecture specification
 * 1.0, 3.1; drivers/iommu/riscv/iommu-bits.h (RISCV_IOMMU_CMD_*).
 */

/** Opcode, bits 6:0 of the first word. */
export const RISCV_OPCODE = { iotinval: 1, iofence: 2, iodir: 3, ats: 4 } as const;

/** Function, bits 9:7 of the first word, by opcode: `vma`, `gvma` of IOTINVAL, and so on. */
export const RISCV_FUNCTION = { vma: 0, gvma: 1, fence: 0, ddt: 0, pdt: 1, inval: 0, prgr: 1 } as const;

export function riscvOpcode(w0Lo: number): number {
  return w0Lo & 0x7f;
}

export function riscvFunction(w0Lo: number): number {
  return (w0Lo >>> 7) & 7;
}

/** AV: the address field holds an address (IOTINVAL, IOFENCE.C). */
export function riscvAddressValid(w0Lo: number): boolean {
  return (w0Lo & 0x400) !== 0;
}

/** PSCV of IOTINVAL.VMA: only this process soft-context id. */
export function riscvPscidValid(w0Hi: number): boolean {
  return (w0Hi & 1) !== 0;
}

/** PSCID of IOTINVAL.VMA. */
export function riscvPscid(w0Lo: number): number {
  return w0Lo >>> 12;
}

/** GV of IOTINVAL: entries of this guest soft-context id; without it those of host address spaces (VMA) or all (GVMA). */
export function riscvGscidValid(w0Hi: number): boolean {
  return (w0Hi & 2) !== 0;
}

/** GSCID of IOTINVAL. */
export function riscvGscid(w0Hi: number): number {
  return (w0Hi >>> 12) & 0xffff;
}

/** NL of IOTINVAL (capability NL, specification 1.0.1): non-leaf entries go too. */
export function riscvNonLeaf(w0Hi: number): boolean {
  return (w0Hi & 4) !== 0;
}

/** S of IOTINVAL (capability S): the address holds a size code. */
export function riscvSize(w1Lo: number): boolean {
  return (w1Lo & 0x200) !== 0;
}

/** Page number in IOTINVAL's address field, bits 61:10, exact; with its size code if it has one. */
export function riscvPage(w1Lo: number, w1Hi: number): number {
  return (w1Hi & 0x3fff_ffff) * 0x40_0000 + (w1Lo >>> 10);
}

/** log2 of the 4 KiB pages of an IOTINVAL with address: 0 without the S bit, else 1 + the ones from the lowest address bit on. */
export function riscvPageOrder(w1Lo: number, w1Hi: number): number {
  if (!riscvSize(w1Lo)) return 0;
  const low = ~((w1Lo >>> 10) | (w1Hi << 22));
  if (low !== 0) return 32 - Math.clz32(low & -low);
  const high = ~(w1Hi >>> 10) & 0xfffff;
  return high === 0 ? 53 : 64 - Math.clz32(high & -high);
}

/** DV of IODIR: only this device; without it all (INVAL_DDT). */
export function riscvDeviceValid(w0Hi: number): boolean {
  return (w0Hi & 2) !== 0;
}

/** Device id of IODIR, 24 bits. */
export function riscvDevice(w0Hi: number): number {
  return w0Hi >>> 8;
}

/** Process id of IODIR.INVAL_PDT and of ATS commands. */
export function riscvPid(w0Lo: number): number {
  return w0Lo >>> 12;
}

/** PV of ATS commands: with PASID. */
export function riscvPidValid(w0Hi: number): boolean {
  return (w0Hi & 1) !== 0;
}

/** DSV of ATS commands: the segment is valid. */
export function riscvSegmentValid(w0Hi: number): boolean {
  return (w0Hi & 2) !== 0;
}

/** Requester id of ATS commands, without segment. */
export function riscvRid(w0Hi: number): number {
  return (w0Hi >>> 8) & 0xffff;
}

/** Segment of ATS commands. */
export function riscvSegment(w0Hi: number): number {
  return w0Hi >>> 24;
}

/** S of ATS.INVAL's payload: bits of the address from 12 on hold a size code, as in the PCIe message. */
export function riscvAtsSize(w1Lo: number): boolean {
  return (w1Lo & 0x800) !== 0;
}

/** G of ATS.INVAL's payload: all PASIDs. */
export function riscvAtsGlobal(w1Lo: number): boolean {
  return (w1Lo & 1) !== 0;
}

/** Group of ATS.PRGR. */
export function riscvGroup(w1Hi: number): number {
  return w1Hi & 0x1ff;
}

/** Response code of ATS.PRGR: 0 success, 1 invalid request, 15 failure. */
export function riscvResponse(w1Hi: number): number {
  return (w1Hi >>> 12) & 0xf;
}
