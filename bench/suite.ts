/** One thing whose speed is measured. */
export interface BenchCase {
  /** What is done, without the suite's name: `packet-nic, all columns`. */
  readonly name: string;
  /** What one run gets through. */
  readonly amount: number;
  readonly unit: 'events' | 'lines' | 'ioctls' | 'bytes';
  /** Done before each run, and not measured. */
  before?(): void;
  /**
   * Does it once, from start to end. Returns something that depends on the work, so that none of it can be left out; a promise
   * where `waits` is set.
   */
  run(): number | Promise<number>;
  /** It waits for files or threads. What does not is measured without a promise around it. */
  readonly waits?: true;
}

/** Cases that belong together. Inputs come from seeded workloads: the same on every machine, and no file is needed. */
export interface BenchSuite {
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  prepare(): readonly BenchCase[] | Promise<PreparedCases>;
}

/** Cases that hold something, such as threads, until they are closed. */
export interface PreparedCases {
  readonly cases: readonly BenchCase[];
  close(): Promise<void>;
}
