/** Low halves of w0 of a wait that writes a status (SW, IF 0, FN: 0x20 beside the type) and the status that Linux asks for. */
const STATUS_WRITE = 0x25;
const STATUS_DONE = 2;
/** Entries of Linux' queue (drivers/iommu/intel/iommu.h, QI_LENGTH). */
const QUEUE_ENTRIES = 256;
const STATUS_BYTES = 4;

export type WaitVerdict = 'learned' | 'agreed' | 'address' | 'word' | 'drain';

/**
 * The wait commands of one queue. Linux writes the status of the wait in entry i to `base + 4 * i`
 * (drivers/iommu/intel/dmar.c, qi_submit_sync). The base is the kernel's choice and learned from the first wait; all others follow
 * from the number of commands in front of them.
 */
export class WaitCheck {
  #index = 0;
  #base = -1;
  /** Base that the newest wrong address would need: if the next wait agrees with it, a command was lost between. */
  #candidate = -1;
  expectedAddress = 0;

  /** The queue was set up anew. */
  reset(): void {
    this.#index = 0;
    this.#base = -1;
    this.#candidate = -1;
  }

  /** Any command but a wait. */
  command(): void {
    this.#index = (this.#index + 1) % QUEUE_ENTRIES;
  }

  wait(w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): WaitVerdict {
    const offset = STATUS_BYTES * this.#index;
    this.#index = (this.#index + 1) % QUEUE_ENTRIES;
    if ((w0Lo & 0xc0) !== 0) return 'drain';
    if (w0Lo !== STATUS_WRITE || w0Hi !== STATUS_DONE) return 'word';
    const address = (w1Hi >>> 0) * 0x100000000 + (w1Lo >>> 0);
    const base = address - offset;
    if (this.#base < 0) {
      this.#base = base;
      this.expectedAddress = address;
      return 'learned';
    }
    this.expectedAddress = this.#base + offset;
    if (base === this.#base) {
      this.#candidate = -1;
      return 'agreed';
    }
    if (base === this.#candidate) {
      this.#candidate = -1;
      this.expectedAddress = address;
      // The array of statuses stays where it is: it is the number of commands that was wrong.
      const entry = (address - this.#base) / STATUS_BYTES;
      if (entry >= 0 && entry < QUEUE_ENTRIES) this.#index = (entry + 1) % QUEUE_ENTRIES;
      else this.#base = base;
      return 'agreed';
    }
    this.#candidate = base;
    return 'address';
  }
}
