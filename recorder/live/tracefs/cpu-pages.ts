import { SubBufferReader } from '../../ftrace/ring-buffer.ts';
import type { SubBufferLayout } from '../../ftrace/ring-buffer.ts';
import type { CpuStream } from './cpu-merge.ts';
import type { PageExchange } from './page-exchange.ts';

/** The sub-buffers of one CPU, in their order; goes through their events in place, and gives each one back when it is done. */
export class CpuPages implements CpuStream {
  readonly cpu: number;
  readonly reader: SubBufferReader;
  live = false;
  time = 0;
  /** What comes later than the merge's limit has not come yet, and nothing that is earlier is missing. */
  readonly drained = true;
  /** Events that were lost right before this one: -1 where it is not known how many, 0 for none. */
  missed = 0;
  /** Sub-buffers that could not be read to their end. */
  damaged = 0;
  damage = '';
  readonly #pages: PageExchange;
  readonly #waiting: number[] = [];
  #next = 0;
  #slot = -1;

  constructor(
    cpu: number,
    pages: PageExchange,
    layout: SubBufferLayout,
    epoch: { readonly lo: number; readonly hi: number },
  ) {
    this.cpu = cpu;
    this.#pages = pages;
    this.reader = new SubBufferReader(layout, epoch.lo, epoch.hi);
  }

  add(slot: number): void {
    this.#waiting.push(slot);
    if (!this.live) this.advance();
  }

  advance(): void {
    const { reader } = this;
    for (;;) {
      if (reader.next()) {
        this.live = true;
        this.time = reader.time;
        return;
      }
      if (reader.damage !== undefined) this.#damaged(reader.damage);
      if (!this.#open()) {
        this.live = false;
        return;
      }
    }
  }

  /** Starts on the next sub-buffer; false if there is none. */
  #open(): boolean {
    if (this.#slot >= 0) this.#pages.putFree(this.#slot);
    this.#slot = this.#waiting[this.#next] ?? -1;
    if (this.#slot < 0) {
      this.#waiting.length = 0;
      this.#next = 0;
      return false;
    }
    this.#next++;
    const { bytes, slotBytes } = this.#pages;
    // What could not be opened has no events; `advance` counts it and goes on to the next.
    this.reader.open(bytes, this.#slot * slotBytes, (this.#slot + 1) * slotBytes);
    if (this.reader.missed !== 0) this.#addMissed(this.reader.missed);
    return true;
  }

  #addMissed(count: number): void {
    this.missed = count < 0 || this.missed < 0 ? -1 : this.missed + count;
  }

  #damaged(what: string): void {
    this.damaged++;
    this.damage = what;
    this.reader.damage = undefined;
  }
}
