import { ACCESS } from '../../../traces/schema.ts';
import type { PageNumber } from '../../../traces/units.ts';
import type { DmaApi } from '../dma-api.ts';

/** A queue in memory that stays mapped: driver and device go round in it, entry by entry. */
export class QueueMemory {
  readonly #api: DmaApi;
  readonly #first: PageNumber;
  readonly #bytes: number;
  readonly #entryBytes: number;
  #at = 0;

  /** Maps the memory. Entries divide a page. */
  constructor(api: DmaApi, cpu: number, entries: number, entryBytes: number) {
    const pages = Math.ceil((entries * entryBytes) / 4096);
    this.#api = api;
    this.#first = api.map(cpu, pages, ACCESS.read | ACCESS.write);
    this.#bytes = pages * 4096;
    this.#entryBytes = entryBytes;
  }

  /** The device reads or writes the next entry. */
  next(access: number): void {
    this.#api.access(this.#first + (this.#at >> 12), this.#at & 0xfff, this.#entryBytes, access);
    this.#at = (this.#at + this.#entryBytes) % this.#bytes;
  }
}
