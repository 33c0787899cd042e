import type { Nanoseconds } from '../../traces/units.ts';
import type { Standing } from '../results.ts';

/** A method at each of `scales`: its cost of one pass is `fixedNs` + `requests` * latency. */
export interface CrossoverMethod {
  readonly name: string;
  /** Logs by page requests. */
  readonly byRequest: boolean;
  /** Stands in the maps: writes of devices can be found by it. Faults of processors can't, and are in the boundaries alone. */
  readonly ofDevices: boolean;
  /** Of the host's processors, and waits of writers that are not for page requests. */
  readonly fixedNs: readonly Nanoseconds[];
  /** Page requests that devices wait for. */
  readonly requests: readonly number[];
  /** That a harvest reports: what a migration sends. */
  readonly reportedBytes: readonly number[];
  /** From which more requests are under way than devices can have, all of the time; null without requests. */
  readonly saturatedNs: readonly (Nanoseconds | null)[];
}

/** The least expensive method from a latency on: up to the next segment's. */
export interface CrossoverSegment {
  readonly method: string;
  readonly fromNs: Nanoseconds;
}

/** Where a method by page requests costs as much as another. */
export interface CrossoverBoundary {
  readonly method: string;
  readonly against: string;
  /** By scale: where they cost the same, below which the one with more requests costs less; null: nowhere. */
  readonly latencyNs: readonly (Nanoseconds | null)[];
  /** With `atLatencyNs`, the mean latency of its row: on which side of `dirtyBytesPerSecond` (null without one) it costs less. */
  readonly wins: 'below' | 'above' | 'always' | 'never';
  readonly atLatencyNs: Nanoseconds;
  readonly dirtyBytesPerSecond: number | null;
}

/** What is compared decides who wins: each criterion has its map. */
export interface CrossoverMap {
  /** `cost`: processor time of the host and waits of writers; `migration`: that and the time on the link of what is reported. */
  readonly criterion: 'cost' | 'migration';
  /** By scale; of methods `ofDevices`. */
  readonly winners: readonly (readonly CrossoverSegment[])[];
  readonly boundaries: readonly CrossoverBoundary[];
}

/** A latency to look up in the map. */
export interface CrossoverMark {
  readonly name: string;
  readonly standing: Standing;
  readonly latencyNs: Nanoseconds;
}

/** A scale that was run as well: cost of one pass at the latency of the parameters. */
export interface CrossoverCheck {
  readonly scale: number;
  readonly method: string;
  readonly formulaNs: Nanoseconds;
  readonly runNs: Nanoseconds;
}

/** Which method costs least, as writes come faster or slower and page requests take longer. */
export interface Crossover {
  /** Mean time between harvests. */
  readonly intervalNs: Nanoseconds;
  /** The writes of the trace, that many times as fast. All arrays by scale have this length. */
  readonly scales: readonly number[];
  /** Memory that becomes dirty between two harvests, in 4 KiB pages, over `intervalNs`. */
  readonly dirtyBytesPerSecond: readonly number[];
  readonly methods: readonly CrossoverMethod[];
  readonly marks: readonly CrossoverMark[];
  readonly maps: readonly CrossoverMap[];
  /** Boundaries of `migration` with other links. */
  readonly links: readonly {
    readonly linkBytesPerSecond: number;
    readonly boundaries: readonly Omit<CrossoverBoundary, 'latencyNs'>[];
  }[];
  readonly checks: readonly CrossoverCheck[];
  /** Methods of which no formula is known. */
  readonly left: readonly string[];
}
