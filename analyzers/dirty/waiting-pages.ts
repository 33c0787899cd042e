/** Pages held at most: 32 GiB. */
const MOST_PAGES = 2 ** 23;

/**
 * Pages that a migration still has to send. One of these that becomes dirty again is not counted again by the next
 * synchronisation: its bit in QEMU's bitmap is set already (migration/ram.c, ramblock_sync_dirty_bitmap). Pages are sent by RAM block and written by RAM
 * address; the block that is sent first is the largest, the machine's memory, which begins at RAM address 0.
 */
export class WaitingPages {
  readonly #dirty = new Set<number>();
  readonly #waiting = new Set<number>();
  #block = -1;

  became(page: number): void {
    if (this.#dirty.size < MOST_PAGES) this.#dirty.add(page);
  }

  /** `block`: index of its name. */
  sent(block: number, page: number): void {
    if (this.#block < 0) this.#block = block;
    if (block === this.#block) this.#waiting.delete(page);
  }

  /** A synchronisation collects the dirty pages. Returns how many of them were waiting already. */
  collected(): number {
    let again = 0;
    for (const page of this.#dirty) {
      if (this.#waiting.has(page)) again++;
      else if (this.#waiting.size < MOST_PAGES) this.#waiting.add(page);
    }
    this.#dirty.clear();
    return again;
  }
}
