import type { RequesterId } from '../../traces/units.ts';

/** Flags of a request in Linux (include/linux/iommu.h): PASID valid, last of its group, the response wants the PASID. */
export const FAULT_FLAG = { pasidValid: 1, last: 2, needsPasid: 4 } as const;

/** Permissions that a request asks for. */
export const FAULT_PERM = { read: 1, write: 2, execute: 4, privileged: 8 } as const;

/** A page request as drivers report it (struct iommu_fault_page_request). */
export interface DeviceFault {
  readonly flags: number;
  readonly pasid: number;
  readonly grpid: number;
  readonly perm: number;
  readonly addr: bigint;
}

/** A request and who made it. */
export interface ReportedFault {
  readonly rid: RequesterId;
  readonly fault: DeviceFault;
}

/** Permission bits of what a record asks for. */
export function permOf(access: {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly privileged: boolean;
}): number {
  return (
    (access.read ? FAULT_PERM.read : 0) |
    (access.write ? FAULT_PERM.write : 0) |
    (access.execute ? FAULT_PERM.execute : 0) |
    (access.privileged ? FAULT_PERM.privileged : 0)
  );
}
