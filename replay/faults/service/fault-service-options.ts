import type { Nanoseconds } from '../../../traces/units.ts';
import type { QueueTiming } from '../queues/queue-timing.ts';
import type { FaultArrivals } from './fault-arrivals.ts';
import type { FaultCosts } from './fault-costs.ts';
import type { ServiceTime } from './service-time.ts';

/** Groups of a device go round: as many as `outstanding` threads of each device, each with one group at a time. */
export interface ClosedLoop {
  readonly threads: number;
  /** From the end of a group to the wish for the next. */
  readonly think: ServiceTime;
}

export interface FaultServiceOptions {
  readonly arrivals: FaultArrivals;
  readonly queue: QueueTiming;
  /** Entries of the hardware queue. */
  readonly entries: number;
  /** Requests that a device may have outstanding. */
  readonly outstanding: number;
  readonly servers: number;
  readonly service: ServiceTime;
  /** What a group takes of which the recording does not tell. */
  readonly unknownServiceNs: Nanoseconds;
  /** Of one record in the driver; `costs.handlerNs` unless given. */
  readonly handler?: ServiceTime;
  /** Responses of one submission at most; a server that finds nothing else to do submits what there is. */
  readonly batch: number;
  /** Longest that a response waits for others; 0: as long as servers have work. */
  readonly lingerNs: Nanoseconds;
  /** Pages of a repaired block: 1, 16 or 512; and pages brought in behind it. */
  readonly repairPages: number;
  readonly prefetch: number;
  readonly costs: FaultCosts;
  /** False: a lost group is not asked for again. */
  readonly asksAgain: boolean;
  /** Share of the repaired groups whose pages are gone again before the device has translated; 0 unless given. */
  readonly refaults?: number;
  readonly closed?: ClosedLoop;
  readonly seed: number;
  /** False: no quantiles of durations, for runs of many millions. */
  readonly quantiles: boolean;
}
