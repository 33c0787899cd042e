import type { Nanoseconds } from '../../../traces/units.ts';

/** What the steps of a page request take, all in ns. */
export interface FaultCosts {
  /** From the device's request until its record is in the queue. */
  readonly requestNs: Nanoseconds;
  /** From a record in an idle queue until the driver begins to look. */
  readonly interruptNs: Nanoseconds;
  /** The driver, for one record. */
  readonly handlerNs: Nanoseconds;
  /** From a group that finds a server idle until that server begins. */
  readonly wakeNs: Nanoseconds;
  /** One page-table entry written. */
  readonly entryNs: Nanoseconds;
  /** One 4 KiB page brought in beyond the requested ones: with small entries, and with entries of 2 MiB. */
  readonly populateNs: Nanoseconds;
  readonly populateHugeNs: Nanoseconds;
  /** One submission of responses, and each response in it. */
  readonly submitNs: Nanoseconds;
  readonly respondNs: Nanoseconds;
  /** From the response command until the device knows. */
  readonly answerNs: Nanoseconds;
  /** The device's translation request after a success. */
  readonly retranslateNs: Nanoseconds;
  /** The driver starts a queue again that stopped. */
  readonly restartNs: Nanoseconds;
  /** After which a device asks again that got no answer. */
  readonly timeoutNs: Nanoseconds;
}

/** Nothing takes time but the service: what the closed forms of queues describe. */
export const NO_COSTS: FaultCosts = {
  requestNs: 0,
  interruptNs: 0,
  handlerNs: 0,
  wakeNs: 0,
  entryNs: 0,
  populateNs: 0,
  populateHugeNs: 0,
  submitNs: 0,
  respondNs: 0,
  answerNs: 0,
  retranslateNs: 0,
  restartNs: 0,
  timeoutNs: 0,
};
