import type { Nanoseconds, RequesterId } from '../../../traces/units.ts';
import type { WaitQuantiles } from '../../results.ts';
import type { LevelSeries, LevelSummary } from './level-over-time.ts';
import type { LatencyBar } from './samples.ts';

/** What a device lost by its page requests. */
export interface FaultDevice {
  /** Requester; -1 for one that was made up. */
  readonly rid: RequesterId;
  readonly groups: number;
  /** Time in which it waited for at least one group, from the wish to the translation. */
  readonly stallNs: Nanoseconds;
  /** Of that, time in which it could not even ask, because it had all requests outstanding that it may have. */
  readonly blockedNs: Nanoseconds;
  /** Sum over its groups. */
  readonly waitNs: Nanoseconds;
}

export interface FaultServiceResult {
  /** From the first wish to the last event. */
  readonly spanNs: Nanoseconds;
  /** Groups that devices wished for, and those that ended with a translation, with a refusal, and without any answer. */
  readonly groups: number;
  readonly repaired: number;
  readonly refused: number;
  readonly lost: number;
  /** Groups that nobody had to ask for, because all their pages had come with others. */
  readonly avoided: number;
  /** Records that devices sent, repeated ones included; of these, those that found no place. */
  readonly requests: number;
  readonly lostRequests: number;
  /** `lostRequests` of `requests`. */
  readonly overflowProbability: number;
  /** Times that the queue overflowed, and the time that it took no requests for that. */
  readonly overflows: number;
  readonly overflowNs: Nanoseconds;
  /** Records that waited for an entry, where the hardware does not drop them. */
  readonly held: number;
  /** Partial groups that the driver threw away. */
  readonly discarded: number;
  /** Groups asked for again, and groups given up after too many attempts. */
  readonly retries: number;
  readonly givenUp: number;
  /** From the last request of a group to the response at the device, of groups that the host answered. */
  readonly responseNs: WaitQuantiles;
  /** From the device's wish to the translation after the last attempt, or to the refusal. */
  readonly doneNs: WaitQuantiles;
  /** Of it: before the first request; from the request until a server could have it; until a server had it; in the server; for a batch of responses. */
  readonly parts: {
    readonly deviceNs: WaitQuantiles;
    readonly queueNs: WaitQuantiles;
    readonly serverNs: WaitQuantiles;
    readonly serviceNs: WaitQuantiles;
    readonly batchNs: WaitQuantiles;
  };
  readonly responseBars: readonly LatencyBar[];
  /** Entries of the hardware queue in use; groups that wait for a server or have one. */
  readonly queue: LevelSummary;
  readonly host: LevelSummary;
  readonly queueSeries: LevelSeries;
  readonly hostSeries: LevelSeries;
  /** Share of the servers' time. */
  readonly utilisation: number;
  readonly submissions: number;
  /** Pages brought in that nobody had asked for, those of them that later requests wanted, and page-table entries written. */
  readonly prefetched: number;
  readonly prefetchUsed: number;
  readonly entriesWritten: number;
  /** Shares of `spanNs`, over all devices: mean. */
  readonly stallShare: number;
  readonly blockedShare: number;
  /** The 100 that stood still longest. */
  readonly devices: readonly FaultDevice[];
}
