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
  context?(context: DesignContext): DesignContext;
  create(parameter: (name: string) => number): PathRoute;
}

/** What a path adds to the bare machine. Times in ns. */
export interface PathRoute {
  /** Hardware queues that a unit offers side by side; CPU c submits to queue c mod `queues`. */
  readonly queues: number;
  /** Most commands of one hand-over; a wait goes with the last. `Infinity`: as many as the driver has. */
  readonly most: number;
  /** Each write of the tail register, under the queue's lock, beyond what the register itself costs. */
  readonly doorbellNs: number;
  /** 1 if that write leaves the guest. */
  readonly exitsPerDoorbell: 0 | 1;
  /** Each hand-over, from the doorbell until the hardware's own queue has the commands. The submitter's CPU spends it. */
  readonly handOverNs: number;
  readonly ioctlsPerHandOver: 0 | 1;
  /** Each command on its way: fetched, checked, rewritten. The submitter's CPU spends it. */
  readonly commandNs: number;
  /** The completion's way back to a waiting submitter. */
  readonly waitNs: number;
  /** Each change of the page table by a driver (one call of map or unmap), beyond the change itself. */
  readonly tableNs: number;
  readonly exitsPerTableChange: 0 | 1;
  readonly ioctlsPerTableChange: 0 | 1;
}

/** The bare machine: nothing is added. */
export const NATIVE_ROUTE: PathRoute = {
  queues: 1,
  most: Number.POSITIVE_INFINITY,
  doorbellNs: 0,
  exitsPerDoorbell: 0,
  handOverNs: 0,
  ioctlsPerHandOver: 0,
  commandNs: 0,
  waitNs: 0,
  tableNs: 0,
  exitsPerTableChange: 0,
  ioctlsPerTableChange: 0,
};
