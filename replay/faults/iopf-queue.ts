import type { RequesterId } from '../../traces/units.ts';
import { FAULT_FLAG } from './device-fault.ts';
import type { DeviceFault } from './device-fault.ts';
import { RESPONSE } from './page-response.ts';

/** Partial requests of a device at most: the kernel runs out of memory some time. */
const MOST_PARTIAL = 65_536;

/** Requests that one response answers: partial ones in the order of their arrival, then the last. */
export interface FaultGroup {
  readonly rid: RequesterId;
  readonly faults: readonly DeviceFault[];
  readonly last: DeviceFault;
}

/** Who takes the faults of an attachment. False: it can't. */
export type FaultHandler = (group: FaultGroup) => boolean;

export interface IopfQueueOptions {
  /** Of the attachment of a device, or of its PASID (-1: none); undefined where nothing that takes faults is attached. */
  readonly handler: (rid: RequesterId, pasid: number) => FaultHandler | undefined;
  /** The driver has a PASID table of the user's: what has no handler by PASID goes to the nested domain of the device. */
  readonly nestedHandler?: (rid: RequesterId) => FaultHandler | undefined;
  /** The driver's page_response: `code` is of `RESPONSE`. */
  readonly respond: (rid: RequesterId, fault: DeviceFault, code: number) => void;
  /** False: memory for the next partial request or group can't be had. */
  readonly allocates?: () => boolean;
}

/**
 * The layer between drivers and those who take page faults (drivers/iommu/io-pgfault.c, Linux 7.2), common to all queues: the
 * handler is looked up before anything else, so that a request nobody takes is answered INVALID even if it is not the last of
 * its group; requests wait in a list of their device for the last one with the same index, whatever their PASID; they have no
 * time-out.
 */
export class IopfQueue {
  readonly #options: IopfQueueOptions;
  readonly #partial = new Map<RequesterId, DeviceFault[]>();
  readonly #outstanding = new Map<RequesterId, Set<FaultGroup>>();

  constructor(options: IopfQueueOptions) {
    this.#options = options;
  }

  /** Requests that wait for the last of their group. */
  get partial(): number {
    let sum = 0;
    for (const faults of this.#partial.values()) sum += faults.length;
    return sum;
  }

  /** Groups that wait for their response. */
  get outstanding(): number {
    let sum = 0;
    for (const groups of this.#outstanding.values()) sum += groups.size;
    return sum;
  }

  /** iommu_report_device_fault. False where nobody takes the request, which is answered then. */
  report(rid: RequesterId, fault: DeviceFault): boolean {
    const { allocates, respond } = this.#options;
    const handler = this.#handler(rid, fault);
    if (handler === undefined) {
      respond(rid, fault, RESPONSE.invalid);
      return false;
    }
    const memory = allocates === undefined || allocates();
    if ((fault.flags & FAULT_FLAG.last) === 0) {
      // without memory it is dropped, and nobody told
      if (memory) this.#keep(rid, fault);
      return true;
    }
    const group: FaultGroup = { rid, faults: [...this.#takePartial(rid, fault.grpid), fault], last: fault };
    this.#outstandingOf(rid).add(group);
    if (!memory || !handler(group)) this.respond(group, RESPONSE.failure);
    return true;
  }

  /** iopf_group_response; false where the group was answered before. */
  respond(group: FaultGroup, code: number): boolean {
    const groups = this.#outstanding.get(group.rid);
    if (groups?.delete(group) !== true) return false;
    if (groups.size === 0) this.#outstanding.delete(group.rid);
    this.#options.respond(group.rid, group.last, code);
    return true;
  }

  /** iopf_queue_discard_partial: the hardware queue overflowed, so that last requests may be missing. Returns how many went. */
  discardPartial(): number {
    const count = this.partial;
    this.#partial.clear();
    return count;
  }

  /** iopf_queue_remove_device: what is outstanding is answered INVALID, what is partial is dropped. */
  removeDevice(rid: RequesterId): void {
    this.#partial.delete(rid);
    for (const group of this.#outstanding.get(rid) ?? []) this.respond(group, RESPONSE.invalid);
  }

  #handler(rid: RequesterId, { flags, pasid }: DeviceFault): FaultHandler | undefined {
    const { handler, nestedHandler } = this.#options;
    if ((flags & FAULT_FLAG.pasidValid) === 0) return handler(rid, -1);
    return handler(rid, pasid) ?? nestedHandler?.(rid);
  }

  #keep(rid: RequesterId, fault: DeviceFault): void {
    const faults = this.#partial.get(rid);
    if (faults === undefined) this.#partial.set(rid, [fault]);
    else if (faults.length < MOST_PARTIAL) faults.push(fault);
  }

  #takePartial(rid: RequesterId, grpid: number): readonly DeviceFault[] {
    const faults = this.#partial.get(rid) ?? [];
    const own = faults.filter((fault) => fault.grpid === grpid);
    if (own.length > 0) {
      this.#partial.set(
        rid,
        faults.filter((fault) => fault.grpid !== grpid),
      );
    }
    return own;
  }

  #outstandingOf(rid: RequesterId): Set<FaultGroup> {
    let groups = this.#outstanding.get(rid);
    if (groups === undefined) {
      groups = new Set();
      this.#outstanding.set(rid, groups);
    }
    return groups;
  }
}
