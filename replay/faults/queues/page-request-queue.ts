import type { CommandDialect } from '../../../traces/dialects/dialect.ts';
import type { RequesterId } from '../../../traces/units.ts';
import type { DeviceFault, ReportedFault } from '../device-fault.ts';
import type { QueueTiming } from './queue-timing.ts';

/** What a driver knows when it looks at a record. */
export interface QueueHost {
  /** Bits of a canonical address, sign included: 48, or 57 with five levels. */
  readonly addressBits: number;
  /** The driver knows the requester as one of its devices. */
  knows(rid: RequesterId): boolean;
  /** PASIDs of a device. */
  maxPasids(rid: RequesterId): number;
  /** Virtual stream of a device that is attached through a vIOMMU; undefined for others. */
  virtualStream?(sid: RequesterId): number | undefined;
}

/** What a driver does with one record. */
export type Taken =
  /** It goes to the common layer of page faults. */
  | (ReportedFault & { readonly kind: 'report' })
  /** The driver answers by itself; `command` is what it writes. */
  | { readonly kind: 'answer'; readonly command: readonly bigint[]; readonly why: string }
  /** It goes to the event queue of the vIOMMU (vEVENTQ), as the guest is to see it. */
  | { readonly kind: 'event'; readonly record: readonly bigint[] }
  /** Nobody answers. */
  | { readonly kind: 'nothing'; readonly why: string };

/** A queue through which devices ask for pages: one file each, listed in `page-request-queues.ts`. */
export interface PageRequestQueue {
  /** Name in `--pri queue=NAME`. */
  readonly name: string;
  readonly summary: string;
  /** As in `DIALECT`: commands of the same unit. */
  readonly dialect: number;
  readonly timing: QueueTiming;
  readonly records: CommandDialect;
  /** Linux's tests of one record, in their order. */
  take(record: readonly bigint[], host: QueueHost): Taken;
  /** The command that answers a group by its last request; `code` is of `RESPONSE`. */
  respond(rid: RequesterId, fault: DeviceFault, code: number): readonly bigint[];
}
