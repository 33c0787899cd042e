import type { Nanoseconds, PageNumber, RequesterId } from '../../../traces/units.ts';

/** One page request as a driver took it out of its queue. */
export interface PageRequest {
  /** Number of its event in the trace. */
  readonly event: number;
  readonly time: Nanoseconds;
  /** Name of the IOMMU; '' where the source has none. */
  readonly unit: string;
  readonly rid: RequesterId;
  /** -1: without PASID. */
  readonly pasid: number;
  /** Page request group index (PRG index, PPR tag, stall tag). */
  readonly index: number;
  readonly page: PageNumber;
  /** `ACCESS` bits. */
  readonly access: number;
  /** Number that the driver counts its requests with, 32 bits; -1: none. */
  readonly seq: number;
  /** Who took it: the thread of the queue's interrupt. */
  readonly task: number;
}

/** A response as the IOMMU was told it. */
export interface GroupAnswer {
  readonly event: number;
  readonly submitted: Nanoseconds;
  /** When the hardware had carried it out; -1: not seen. */
  readonly completed: Nanoseconds;
  readonly rid: RequesterId;
  readonly pasid: number;
  readonly index: number;
  /** `RESPONSE` value. */
  readonly code: number;
  readonly task: number;
}

/** When something happened: between two times, which are one where the source has its time. */
export interface Moment {
  from: Nanoseconds;
  to: Nanoseconds;
}

/** A record that user space read from a fault queue (struct iommu_hwpt_pgfault). */
export interface FaultRecord {
  readonly flags: number;
  readonly device: number;
  readonly pasid: number;
  readonly index: number;
  readonly perm: number;
  readonly page: PageNumber;
  readonly cookie: number;
}

/** A group that user space read: its records, and the response that was written with their cookie. */
export interface Delivery {
  readonly event: number;
  readonly at: Moment;
  readonly pid: number;
  readonly fd: number;
  readonly records: readonly FaultRecord[];
  response: WrittenResponse | undefined;
  /** Its cookie was given out again before a response was seen. */
  forgotten: boolean;
}

export interface WrittenResponse {
  readonly event: number;
  readonly at: Moment;
  /** When the call returned; the same as `at.to` where calls have no duration. */
  readonly returned: Nanoseconds;
  readonly code: number;
  readonly task: number;
}

/** Why a group has no answer in the trace. */
export type Unanswered = 'open' | 'index-used-again';

/** A page request group through all its stages. */
export interface RequestGroup {
  /** Empty where only user space was seen. */
  readonly requests: PageRequest[];
  readonly rid: RequesterId;
  readonly pasid: number;
  readonly index: number;
  /** False: its last request is not in the trace. */
  readonly closed: boolean;
  answer: GroupAnswer | undefined;
  delivery: Delivery | undefined;
  unanswered: Unanswered | undefined;
  /** Its requests are of more than one PASID: the kernel compares only the index. */
  readonly mixed: boolean;
}

/** What is odd about an event. */
export type PriFindingKind =
  | 'lost-requests'
  | 'duplicate-request'
  | 'reordered-request'
  | 'request-without-last'
  | 'unanswered'
  | 'lost-response'
  | 'orphan-response'
  | 'refused-request'
  | 'duplicate-response'
  | 'early-response'
  | 'code-differs'
  | 'orphan-record'
  | 'unwritten-response'
  | 'orphan-write'
  | 'refused-write';

export interface PriFinding {
  readonly event: number;
  readonly kind: PriFindingKind;
  readonly what: string;
  /** How many it stands for. */
  readonly count: number;
}

/** When a group was complete: its last request was taken from the queue; -1 where no request was seen. */
export function closedAt({ requests }: RequestGroup): Nanoseconds {
  return requests.at(-1)?.time ?? -1;
}

/** Its first event in the trace. */
export function eventOf({ requests, delivery, answer }: RequestGroup): number {
  if (requests.length === 0) return delivery?.event ?? answer?.event ?? -1;
  return requests.reduce((least, { event }) => Math.min(least, event), Number.POSITIVE_INFINITY);
}
