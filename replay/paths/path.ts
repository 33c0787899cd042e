import type { DesignContext } from '../designs/design.ts';
import type { ProfileParameter } from '../results.ts';

/**
 * The way by which a driver's commands reach the hardware. Any design can be combined with any path: the design says which
 * commands go out and when somebody waits; the path says how many hand-overs, exits and ioctls that takes, what they cost and
 * what they hold up. One file each, listed in `paths.ts`.
 */
export interface Path {
  readonly name: string;
  readonly summary: string;
  /** For a path that no released kernel has: what it supposes. Results repeat it. */
  readonly whatIf: string | undefined;
  /** Named knobs, in the units that they say, with where their values come from. */
  readonly parameters: readonly ProfileParameter[];
  /** What the driver at the near end sees of its IOMMU; as on the bare machine where a path does not say. */
  readonly context?: (context: DesignContext) => DesignContext;
  /** Why there is no such path for these commands; undefined if there is. */
  readonly impossible?: (context: DesignContext) => string | undefined;
  create(parameter: (name: string) => number, context: DesignContext): PathRoute;
}

/** What one step of a path costs somebody's CPU. */
export interface PathStep {
  /** ns. */
  readonly ns: number;
  /** Leaves the guest: once, or not at all. */
  readonly exits: 0 | 1;
  readonly ioctls: 0 | 1;
}

/** What a path adds to the bare machine. Times in ns. */
export interface PathRoute {
  /** Hardware queues that a unit offers side by side; CPU c submits to queue c mod `queues`. */
  readonly queues: number;
  /** Most commands of one hand-over; a wait goes with the last. `Infinity`: as many as the driver has. */
  readonly most: number;
  /** Each write of the tail register, under the queue's lock, beyond what the register itself costs. */
  readonly doorbell: PathStep;
  /** Each hand-over, from the doorbell until the hardware's own queue has the commands, while the submitter's CPU stands still. */
  readonly handOver: PathStep;
  /** Each command on its way: fetched, checked, rewritten, while the submitter's CPU stands still. */
  readonly commandNs: number;
  /** The completion's way back to a waiting submitter. */
  readonly waitNs: number;
  /** Each mapping and unmapping by a driver, beyond the change itself. */
  readonly map: PathStep;
  readonly unmap: PathStep;
  /** Each change of an interrupt's remapping that the trace shows. */
  readonly interrupt: PathStep;
  /** How the host carries out a list; undefined where there is no host between. */
  readonly list: CommandListRules | undefined;
}

/** What happens to a list of commands that the host carries out for a guest, when it refuses one of them. */
export interface CommandListRules {
  /** Commands that the host gives to its hardware at once; 1: each by itself. */
  readonly chunk: number;
  /** Every so many commands the host refuses one; 0: never. */
  readonly refuseEvery: number;
  /**
   * Whoever passes the list on takes the host's count of completed commands for the truth. That count includes the commands that
   * stand in one chunk with the refused one, and those were never issued (arm-smmu-v3-iommufd.c, arm_vsmmu_cache_invalidate).
   */
  readonly trustCount: boolean;
}

export const NO_STEP: PathStep = { ns: 0, exits: 0, ioctls: 0 };

/** The bare machine: nothing is added. */
export const NATIVE_ROUTE: PathRoute = {
  queues: 1,
  most: Number.POSITIVE_INFINITY,
  doorbell: NO_STEP,
  handOver: NO_STEP,
  commandNs: 0,
  waitNs: 0,
  map: NO_STEP,
  unmap: NO_STEP,
  interrupt: NO_STEP,
  list: undefined,
};
