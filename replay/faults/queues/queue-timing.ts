/** How a page request queue takes, loses and gives back entries: what its timing depends on. */
export interface QueueTiming {
  /** Entries as Linux makes it. */
  readonly entries: number;
  /** Entries that stay empty, because a full ring would look like an empty one. */
  readonly spare: 0 | 1;
  /**
   * When an entry is free again: when the driver takes it out (`taken`), when the driver is done with all that it saw at once
   * (`pass`), or when the request is answered (`answered`).
   */
  readonly freed: 'taken' | 'pass' | 'answered';
  /** What becomes of a request that finds no entry: it is lost, or waits where it is. */
  readonly full: 'drop' | 'hold';
  /** How long requests are lost after one was: until the driver has drained the queue and cleared the state, or not at all. */
  readonly overflow: 'until-drained' | 'none';
  /** What the hardware answers to a lost request that is the last of its group: success, on which the device asks again, or nothing. */
  readonly lost: 'success' | 'none';
  /** The driver drops partial groups when it clears an overflow, whose last requests may be lost. */
  readonly discards: boolean;
  /** Whether the driver has to start the queue again after an overflow, which takes a time of its own. */
  readonly restarted: boolean;
  /** The driver answers every group with a denial and repairs nothing. */
  readonly denies: boolean;
  /** Requests that Linux lets a device have outstanding. */
  readonly outstanding: number;
}
