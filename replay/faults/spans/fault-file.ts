import { pageNumber } from '../../../traces/units.ts';
import type { FaultRecord } from './page-request.ts';

/** struct iommu_hwpt_pgfault, struct iommu_hwpt_page_response (include/uapi/linux/iommufd.h). */
export const RECORD_BYTES = 40;
export const RESPONSE_BYTES = 8;
/** Bytes of a record before its cookie, of which sources show that cut what was read: its address is in them. */
const KNOWN_BYTES = 32;

/** Flags of a record: PASID valid, last page of its group. */
export const RECORD = { pasidValid: 1, last: 2 } as const;
/** Cookie of a record that was cut before it. */
export const NO_COOKIE = -1;

/** The records in what was read. The last one may be cut behind its address; what is cut earlier is left out. */
export function readRecords(bytes: Uint8Array): FaultRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: FaultRecord[] = [];
  for (let at = 0; at + KNOWN_BYTES <= bytes.length; at += RECORD_BYTES) {
    const flags = view.getUint32(at, true);
    records.push({
      flags,
      device: view.getUint32(at + 4, true),
      pasid: (flags & RECORD.pasidValid) === 0 ? -1 : view.getUint32(at + 8, true),
      index: view.getUint32(at + 12, true),
      perm: view.getUint32(at + 16, true),
      page: pageNumber(view.getInt32(at + 24, true), view.getInt32(at + 28, true)),
      cookie: at + RECORD_BYTES <= bytes.length ? view.getUint32(at + 36, true) : NO_COOKIE,
    });
  }
  return records;
}

/** Cookies and codes in what was written. */
export function readResponses(bytes: Uint8Array): { readonly cookie: number; readonly code: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const responses: { cookie: number; code: number }[] = [];
  for (let at = 0; at + RESPONSE_BYTES <= bytes.length; at += RESPONSE_BYTES) {
    responses.push({ cookie: view.getUint32(at, true), code: view.getUint32(at + 4, true) });
  }
  return responses;
}
