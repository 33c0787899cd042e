import type { Nanoseconds } from '../../traces/units.ts';
import { MappedRanges } from './mapped-ranges.ts';
import { PageSet } from './page-set.ts';
import { OPERATION } from './write-stream.ts';
import type { WriteStream } from './write-stream.ts';

const PAGE_SHIFT = 12;
const FIRST_SLOTS = 1 << 10;
/** 2^32 over the golden ratio. */
const SPREAD = 0x9e3779b1;

/**
 * How many blocks of 2^`blockShift` bytes a window of the stream writes on average, over all windows of a length: each write adds
 * the time since the block's last one, but no more than the window, over the length of the stream (Denning and Schwartz,
 * "Properties of the working-set model", 1972). The stream counts as repeated without end, as `Tracking` repeats it. A block
 * that was unmapped, or a page of it mapped, is written anew. `windows`: ns, ascending; the answer is exact for each.
 */
export function writtenBlocks(
  stream: WriteStream,
  blockShift: number,
  windows: readonly Nanoseconds[],
): readonly number[] {
  const gaps = new GapSums(windows);
  const { kind, space, page, count, time, length, startNs, endNs } = stream;
  const period = Math.max(1, endNs - startNs);
  const block = 2 ** (blockShift - PAGE_SHIFT);
  const spaces = stream.domains.map(() => ({
    mapped: new MappedRanges(),
    last: new LastWrites(),
    /** Pages that were mapped while others of their blocks may have been written. */
    fresh: new PageSet(),
  }));
  let writes = false;
  for (let i = 0; i < length; i++) {
    const which = kind[i]!;
    const from = page[i]!;
    const pages = count[i]!;
    const { mapped, last, fresh } = spaces[space[i]!]!;
    if (which === OPERATION.map) {
      const late = writes && block > 1;
      mapped.add(from, pages, (first, missing) => void (late && fresh.addRange(first, missing)));
    } else if (which === OPERATION.unmap) {
      mapped.remove(from, pages, ignore);
      last.end(Math.ceil(from / block), Math.floor((from + pages) / block), gaps);
    } else if (which === OPERATION.write && time[i]! >= startNs) {
      writes = true;
      const end = Math.floor((from + pages - 1) / block);
      for (let at = Math.floor(from / block); at <= end; at++) {
        const first = Math.max(from, at * block);
        if (!mapped.has(first)) continue;
        if (fresh.next(first, Math.min(from + pages, (at + 1) * block)) >= 0) {
          last.renew(at, gaps);
          for (let p = fresh.next(at * block, (at + 1) * block); p >= 0; p = fresh.next(p + 1, (at + 1) * block)) {
            fresh.delete(p);
          }
        }
        last.write(at, time[i]!, gaps);
      }
    }
  }
  for (const { last } of spaces) last.close(period, gaps);
  return gaps.means(period);
}

/** Sums of the smaller of each gap and each window. */
class GapSums {
  readonly #windows: Float64Array;
  /** By index of the first window that is longer; the last: longer than all. */
  readonly #sums: Float64Array;
  readonly #counts: Float64Array;

  constructor(windows: readonly Nanoseconds[]) {
    this.#windows = Float64Array.from(windows);
    this.#sums = new Float64Array(windows.length + 1);
    this.#counts = new Float64Array(windows.length + 1);
  }

  add(gap: number): void {
    const windows = this.#windows;
    let low = 0;
    let high = windows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (windows[middle]! > gap) high = middle;
      else low = middle + 1;
    }
    this.#counts[low]!++;
    if (low < windows.length) this.#sums[low]! += gap;
  }

  means(period: Nanoseconds): readonly number[] {
    let longer = this.#counts.reduce((sum, count) => sum + count, 0);
    let shorter = 0;
    return Array.from(this.#windows, (window, i) => {
      longer -= this.#counts[i]!;
      shorter += this.#sums[i]!;
      return (shorter + longer * window) / period;
    });
  }
}

/** By block: its first and its last write; open addressing. */
class LastWrites {
  /** Block + 1; 0: free. */
  #keys = new Float64Array(FIRST_SLOTS);
  /** -1: its gap is known; `#last` -1: it is not mapped any more. */
  #first = new Float64Array(FIRST_SLOTS);
  #last = new Float64Array(FIRST_SLOTS);
  #used = 0;

  write(block: number, at: Nanoseconds, gaps: GapSums): void {
    const slot = this.#slot(block);
    if (this.#keys[slot] === 0) {
      this.#keys[slot] = block + 1;
      this.#first[slot] = at;
      this.#last[slot] = at;
      if (++this.#used * 2 > this.#keys.length) this.#grow();
      return;
    }
    const last = this.#last[slot]!;
    gaps.add(last < 0 ? Infinity : at - last);
    this.#last[slot] = at;
  }

  /** The next write to a block counts as one to a new block. */
  renew(block: number, gaps: GapSums): void {
    const slot = this.#slot(block);
    if (this.#keys[slot] !== 0) this.#endSlot(slot, gaps);
  }

  /** Blocks from `block` to before `end` are no longer mapped. */
  end(block: number, end: number, gaps: GapSums): void {
    if (this.#used === 0) return;
    if (end - block < this.#keys.length) {
      for (let at = block; at < end; at++) {
        const slot = this.#slot(at);
        if (this.#keys[slot] !== 0) this.#endSlot(slot, gaps);
      }
      return;
    }
    for (let slot = 0; slot < this.#keys.length; slot++) {
      const key = this.#keys[slot]!;
      if (key > block && key <= end) this.#endSlot(slot, gaps);
    }
  }

  /** The stream begins again: from the last write to the first. */
  close(period: Nanoseconds, gaps: GapSums): void {
    for (let slot = 0; slot < this.#keys.length; slot++) {
      const first = this.#first[slot]!;
      if (this.#keys[slot] === 0 || first < 0) continue;
      gaps.add(Math.max(0, period - (this.#last[slot]! - first)));
    }
  }

  #endSlot(slot: number, gaps: GapSums): void {
    // what came before its first write was unmapped too, when the stream begins again
    if (this.#first[slot]! >= 0) gaps.add(Infinity);
    this.#first[slot] = -1;
    this.#last[slot] = -1;
  }

  #slot(block: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    let slot = (Math.imul((block | 0) ^ ((block / 2 ** 32) | 0), SPREAD) >>> 7) & mask;
    while (keys[slot] !== 0 && keys[slot] !== block + 1) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [keys, first, last] = [this.#keys, this.#first, this.#last];
    this.#keys = new Float64Array(keys.length * 2);
    this.#first = new Float64Array(keys.length * 2);
    this.#last = new Float64Array(keys.length * 2);
    for (let i = 0; i < keys.length; i++) {
      if (keys[i] === 0) continue;
      const slot = this.#slot(keys[i]! - 1);
      this.#keys[slot] = keys[i]!;
      this.#first[slot] = first[i]!;
      this.#last[slot] = last[i]!;
    }
  }
}

function ignore(): void {}
