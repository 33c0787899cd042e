import type { ConfigurationCaches } from './configuration-caches.ts';
import type { DeviceTlbs } from './device-tlbs.ts';
import type { EntryMatch } from './entry-match.ts';

/** A cache of translations or of pointers to tables, as far as commands act on it. All return how many entries went. */
export interface Invalidatable {
  dropAll(why: number): number;
  dropMatching(match: EntryMatch, why: number): number;
  dropPages(match: EntryMatch, pageLo: number, pageHi: number, order: number, why: number): number;
}

/** All caches of a unit that commands reach. */
export interface HardwareCaches {
  readonly iotlb: Invalidatable;
  readonly walkCaches: Invalidatable;
  /** Stage-2 translations by themselves, of nested walks. */
  readonly stage2: Invalidatable;
  readonly configuration: ConfigurationCaches;
  readonly deviceTlbs: DeviceTlbs;
  /** For the effects to fill: one command is applied at a time. */
  readonly match: EntryMatch;
  /** Largest address mask of page commands (VT-d CAP.MAMV, 11.4.2). */
  readonly maxMask: number;
  /** QEMU takes AMD's device-TLB commands for its own cache, and forgets page sizes (hw/i386/amd_iommu.c). */
  readonly quirks: number;
  /** The IOTLB may hold entries of two stages in one. */
  hasCombined(): boolean;
  /** Something was ever attached to this domain, or mapped in it. */
  knows(domain: number): boolean;
  /**
   * Drops the IOTLB's entry of a domain that has just this page and order. There only for QEMU's SMMUv3, where a command with a
   * level hint for one page looks for it first (hw/arm/smmu-common.c).
   */
  readonly dropExact?: ((domain: number, order: number, pageLo: number, pageHi: number) => number) | undefined;
  /** Drops translations that were cached for a requester: QEMU's caches know whose they are. */
  dropRequester(rid: number, pageLo: number, pageHi: number, order: number): number;
}

/** Bits of `quirks`. */
export const QUIRK = { amdWholeDomain: 1, amdDeviceTlbIsIotlb: 2 } as const;
