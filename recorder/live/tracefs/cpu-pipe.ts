import { closeSync, constants, openSync, readSync } from 'node:fs';
import { SubBufferReader } from '../../ftrace/ring-buffer.ts';
import type { SubBufferLayout } from '../../ftrace/ring-buffer.ts';
import type { CpuStream } from './cpu-merge.ts';

/** Sub-buffers kept for use again. */
const MAX_SPARE = 64;

function isCode(error: unknown, code: string): boolean {
  return (error as { code?: unknown }).code === code;
}

/**
 * The binary stream of one CPU: reads whole sub-buffers without waiting, and goes through their events in place. Nothing is
 * copied behind the kernel's own copy.
 */
export class CpuPipe implements CpuStream {
  readonly cpu: number;
  readonly reader: SubBufferReader;
  /** The sub-buffer that the event is in. */
  bytes: Uint8Array = new Uint8Array(0);
  live = false;
  time = 0;
  drained = true;
  /** Events that were lost right before this one: -1 where it is not known how many, 0 for none. */
  missed = 0;
  /** Sub-buffers that could not be read to their end. */
  damaged = 0;
  damage = '';
  readonly #descriptor: number;
  readonly #size: number;
  readonly #waiting: Uint8Array[] = [];
  #next = 0;
  readonly #spare: Uint8Array[] = [];
  #closed = false;

  /** Throws what the operating system says if it can't be opened. */
  constructor(cpu: number, path: string, layout: SubBufferLayout, epoch: { readonly lo: number; readonly hi: number }) {
    this.cpu = cpu;
    this.#descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#size = layout.bytes;
    this.reader = new SubBufferReader(layout, epoch.lo, epoch.hi);
  }

  /** Reads up to `most` sub-buffers; returns how many came. Fewer than `most`: that was all, and `drained` is set. */
  fill(most: number): number {
    let count = 0;
    this.drained = false;
    while (count < most) {
      const page = this.#spare.pop() ?? new Uint8Array(this.#size);
      let got = 0;
      try {
        got = readSync(this.#descriptor, page, 0, this.#size, null);
      } catch (error) {
        if (!isCode(error, 'EAGAIN') && !isCode(error, 'EINTR')) throw error;
      }
      if (got === 0) {
        this.#spare.push(page);
        this.drained = true;
        break;
      }
      count++;
      this.#waiting.push(got === page.length ? page : page.subarray(0, got));
    }
    if (!this.live) this.advance();
    return count;
  }

  /** Sub-buffers that were read and not begun. */
  get waiting(): number {
    return this.#waiting.length - this.#next;
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

  close(): void {
    if (!this.#closed) closeSync(this.#descriptor);
    this.#closed = true;
  }

  /** Starts on the next sub-buffer that was read; false if there is none. */
  #open(): boolean {
    if (this.bytes.length === this.#size && this.#spare.length < MAX_SPARE) this.#spare.push(this.bytes);
    this.bytes = EMPTY;
    const page = this.#waiting[this.#next];
    if (page === undefined) {
      this.#waiting.length = 0;
      this.#next = 0;
      return false;
    }
    // A backlog is walked once; what was passed is let go.
    this.#waiting[this.#next++] = EMPTY;
    this.bytes = page;
    // What could not be opened has no events; `advance` counts it and goes on to the next.
    this.reader.open(page, 0, page.length);
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

const EMPTY = new Uint8Array(0);
