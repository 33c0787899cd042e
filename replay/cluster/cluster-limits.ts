/** What others may put into a Redis is bounded before it is read. */

/** The layout of what is stored; another one keeps sweeps and workers apart. */
export const PROTOCOL = 1;
/** Bytes of a block of a trace, and the most that a manifest may say. */
export const BLOCK_BYTES: number = 1 << 20;
export const MOST_BLOCK_BYTES: number = 4 << 20;
/** Blocks of a trace: 256 GiB. */
export const MOST_BLOCKS: number = 1 << 18;
/** Characters of a task's and a result's text. */
export const MOST_TASK_CHARACTERS: number = 8 << 20;
export const MOST_RESULT_BYTES: number = 64 << 20;
/** Bytes of a sweep's entry, a worker's record, or why a task failed. */
export const MOST_NOTE_BYTES: number = 16 << 10;
/** Sweeps that a worker looks at, and workers that a sweep does. */
export const MOST_SWEEPS = 1000;
export const MOST_WORKERS = 10_000;

/** A sweep that is not heard of for so long is left alone by workers, until it is heard of again. */
export const LEASE_MS = 60_000;
/** One that is not heard of for so long is taken away. */
export const ORPHAN_MS = 600_000;
/** How often a sweep says that it is there, and looks whether its trace still is. */
export const HEARTBEAT_MS = 2500;
/** A worker that holds a task renews its claim before this is over; one that does not is taken for dead. */
export const LOCK_MS = 2500;
export const RENEWAL_MS = 600;
/** How often claims of dead workers are looked for. */
export const STALL_CHECK_MS = 500;
/** A task that so many workers died of is given up. */
export const MOST_STALLS = 10;
/** Attempts of a task that failed by what may pass. */
export const ATTEMPTS = 5;
export const BACK_OFF_MS = 300;
