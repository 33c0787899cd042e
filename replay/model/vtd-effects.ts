import {
  VTD_GRANULARITY,
  VTD_TYPE,
  vtdAddressMask,
  vtdDomain,
  vtdGranularity,
  vtdInvalidationHint,
  vtdPasid,
  vtdType,
} from '../../traces/dialects/vtd-fields.ts';
import type { ContextCache } from './context-cache.ts';
import { DROP } from './iotlb.ts';

/** A cache of translations or of pointers to tables, as far as commands act on it. All return how many entries went. */
export interface Invalidatable {
  dropAll(why: number): number;
  dropDomain(domain: number, pasid: number, why: number): number;
  dropPages(domain: number, pasid: number, pageLo: number, pageHi: number, order: number, why: number): number;
}

/** The caches of a VT-d unit. */
export interface VtdCaches {
  readonly iotlb: Invalidatable;
  readonly walkCaches: Invalidatable;
  readonly contexts: ContextCache;
  /** Domain of each requester number, for context commands by domain. */
  domains(): Int32Array;
  /** CAP.MAMV: page commands with a larger mask are malformed. VT-d spec 11.4.2. */
  readonly maxMask: number;
}

/** What `applyVtd` returns for a descriptor that the hardware would refuse (VT-d spec 6.5.2.10, queue error). */
export const MALFORMED = -1;

/** True for the descriptors whose purpose is to drop translations: those that are wasted if they drop none. */
export function dropsTranslations(w0Lo: number): boolean {
  const type = vtdType(w0Lo);
  return type === VTD_TYPE.iotlb || type === VTD_TYPE.pasidIotlb;
}

/**
 * Drops what one descriptor names and nothing else; returns how many entries went from all caches, or `MALFORMED`. The table
 * of effects is VT-d spec 6.5.2: context commands leave the IOTLB alone, page commands keep pointers to tables when the hint
 * says that only leaves changed. Device TLBs and interrupt entries are not modelled here; waits drop nothing.
 */
export function applyVtd(caches: VtdCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  switch (vtdType(w0Lo)) {
    case VTD_TYPE.iotlb:
      return iotlb(caches, w0Lo, w1Lo, w1Hi);
    case VTD_TYPE.pasidIotlb:
      return pasidIotlb(caches, w0Lo, w0Hi, w1Lo, w1Hi);
    case VTD_TYPE.context:
      return context(caches, w0Lo, w0Hi);
    case VTD_TYPE.pasidCache:
      return pasidCache(caches, w0Lo, w0Hi);
    case 0:
      return MALFORMED;
    default:
      return 0;
  }
}

function iotlb(caches: VtdCaches, w0Lo: number, w1Lo: number, w1Hi: number): number {
  const domain = vtdDomain(w0Lo);
  switch (vtdGranularity(w0Lo)) {
    case VTD_GRANULARITY.global:
      return caches.iotlb.dropAll(DROP.command) + caches.walkCaches.dropAll(DROP.command);
    case VTD_GRANULARITY.domain:
      return caches.iotlb.dropDomain(domain, -1, DROP.command) + caches.walkCaches.dropDomain(domain, -1, DROP.command);
    case VTD_GRANULARITY.page:
      return pages(caches, domain, -1, w1Lo, w1Hi);
    default:
      return MALFORMED;
  }
}

function pasidIotlb(caches: VtdCaches, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number {
  const domain = vtdDomain(w0Lo);
  const pasid = vtdPasid(w0Hi);
  switch (vtdGranularity(w0Lo)) {
    case VTD_GRANULARITY.pasid:
      return (
        caches.iotlb.dropDomain(domain, pasid, DROP.command) + caches.walkCaches.dropDomain(domain, pasid, DROP.command)
      );
    case VTD_GRANULARITY.page:
      return pages(caches, domain, pasid, w1Lo, w1Hi);
    default:
      return MALFORMED;
  }
}

function pages(caches: VtdCaches, domain: number, pasid: number, w1Lo: number, w1Hi: number): number {
  const order = vtdAddressMask(w1Lo);
  if (order > caches.maxMask) return MALFORMED;
  const pageLo = (w1Lo >>> 12) | (w1Hi << 20);
  const pageHi = w1Hi >>> 12;
  const dropped = caches.iotlb.dropPages(domain, pasid, pageLo, pageHi, order, DROP.command);
  if (vtdInvalidationHint(w1Lo)) return dropped;
  return dropped + caches.walkCaches.dropPages(domain, pasid, pageLo, pageHi, order, DROP.command);
}

function context(caches: VtdCaches, w0Lo: number, w0Hi: number): number {
  switch (vtdGranularity(w0Lo)) {
    case VTD_GRANULARITY.global:
      return caches.contexts.dropAll();
    case VTD_GRANULARITY.domain:
      return caches.contexts.dropDomain(vtdDomain(w0Lo), caches.domains());
    case VTD_GRANULARITY.device:
      return caches.contexts.dropDevice(w0Hi & 0xffff, (w0Hi >>> 16) & 3);
    default:
      return MALFORMED;
  }
}

function pasidCache(caches: VtdCaches, w0Lo: number, w0Hi: number): number {
  switch (vtdGranularity(w0Lo)) {
    case 0:
      return caches.contexts.dropDomain(vtdDomain(w0Lo), caches.domains());
    case 1:
      return caches.contexts.dropPasid(vtdDomain(w0Lo), vtdPasid(w0Hi), caches.domains());
    case 3:
      return caches.contexts.dropAll();
    default:
      return MALFORMED;
  }
}
