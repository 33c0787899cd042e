/** One thing whose speed is measured. */
export interface BenchCase {
  /** What is done, without the suite's name: `packet-nic, all columns`. */
  readonly name: string;
  /** What one run gets through. */
  readonly amount: number;
  readonly unit: 'events' | 'lines' | 'ioctls';
  /** Does it once, from start to end. Returns something that depends on the work, so that none of it can be left out. */
  run(): number;
}

/** Cases that belong together. Inputs come from seeded workloads: the same on every machine, and no file is needed. */
export interface BenchSuite {
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  prepare(): readonly BenchCase[];
}
