import type { Nanoseconds } from '../../traces/units.ts';
import { MappedRanges } from './mapped-ranges.ts';
import { PageSet } from './page-set.ts';
import { OPERATION } from './write-stream.ts';
import type { WriteStream } from './write-stream.ts';

const PAGE_SHIFT = 12;

/** Faults of one pass: the first writes to its protected blocks. All arrays have the same length. */
export interface PassFaults {
  /** Since the harvest before. */
  readonly time: Float64Array;
  /** Address space: stands for the device that writes to it. */
  readonly space: Int32Array;
  readonly durationNs: Nanoseconds;
  /** Blocks that are protected in it, because the pass before logged them. */
  readonly protectedBlocks: number;
}

/** Faults of each pass between harvests `at`, when all that was logged is protected at the harvest. */
export function faultsByPass(stream: WriteStream, at: readonly Nanoseconds[], blockShift: number): readonly number[] {
  const counts = at.map(() => 0);
  sweep(stream, at, blockShift, (pass) => {
    counts[pass]!++;
    return true;
  });
  return counts;
}

/**
 * Faults of a pass whose blocks are protected in `slices` of as many each, in the order of their addresses, at equal times of the
 * pass: KVM_CLEAR_DIRTY_LOG does so with pages of processors, before each part is sent. What is written before its slice is
 * protected is sent after it, and needs no fault.
 */
export function faultsOfPass(
  stream: WriteStream,
  at: readonly Nanoseconds[],
  blockShift: number,
  pass: number,
  slices: number,
): PassFaults {
  const logged = stream.domains.map(() => new PageSet());
  const time: number[] = [];
  const spaces: number[] = [];
  const begin = at[pass - 1] ?? stream.startNs;
  const durationNs = Math.max(1, at[pass]! - begin);
  let order: Order | undefined;
  sweep(stream, at, blockShift, (of, space, block, now) => {
    if (of === pass - 1) logged[space]!.add(block);
    if (of !== pass) return true;
    order ??= new Order(logged);
    const slice = Math.floor(order.share(space, block) * slices);
    if (now < begin + (slice * durationNs) / slices) return false;
    time.push(now - begin);
    spaces.push(space);
    return true;
  });
  return {
    time: Float64Array.from(time),
    space: Int32Array.from(spaces),
    durationNs,
    protectedBlocks: logged.reduce((sum, set) => sum + set.size, 0),
  };
}

/** Where blocks lie among those that are protected. */
class Order {
  readonly #blocks: readonly Float64Array[];
  readonly #before: readonly number[];
  readonly #size: number;

  constructor(logged: readonly PageSet[]) {
    this.#blocks = logged.map((set) => Float64Array.from(set.pages()));
    let size = 0;
    this.#before = this.#blocks.map((blocks) => {
      const before = size;
      size += blocks.length;
      return before;
    });
    this.#size = size;
  }

  /** 0 to less than 1; 0 for one that was protected all the time. */
  share(space: number, block: number): number {
    const blocks = this.#blocks[space]!;
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (blocks[middle]! < block) low = middle + 1;
      else high = middle;
    }
    return blocks[low] === block ? (this.#before[space]! + low) / this.#size : 0;
  }
}

/** Told of each write to a protected page of a block; false: it stays so. */
type FirstWrite = (pass: number, space: number, block: number, time: Nanoseconds) => boolean;

function sweep(stream: WriteStream, at: readonly Nanoseconds[], blockShift: number, told: FirstWrite): void {
  const { kind, space, page, count, time, length, startNs } = stream;
  const block = 2 ** (blockShift - PAGE_SHIFT);
  // by page, as a page that is mapped anew is protected, and the others of its block are not
  const spaces = stream.domains.map(() => ({ mapped: new MappedRanges(), writable: new PageSet() }));
  let pass = 0;
  for (let i = 0; i < length; i++) {
    const now = time[i]!;
    // the instant of a harvest belongs to the pass that it ends
    while (pass < at.length && now > at[pass]!) {
      pass++;
      for (const { writable } of spaces) writable.clear();
    }
    if (pass >= at.length) return;
    const { mapped, writable } = spaces[space[i]!]!;
    const from = page[i]!;
    const end = from + count[i]!;
    if (kind[i] === OPERATION.map) {
      mapped.add(from, count[i]!, (first, pages) => {
        for (let p = writable.next(first, first + pages); p >= 0; p = writable.next(p + 1, first + pages)) {
          writable.delete(p);
        }
      });
    } else if (kind[i] === OPERATION.unmap) mapped.remove(from, count[i]!, ignore);
    else if (kind[i] === OPERATION.write && now >= startNs) {
      for (let p = from; p < end; p++) {
        if (writable.has(p) || !mapped.has(p)) continue;
        const of = Math.floor(p / block);
        if (told(pass, space[i]!, of, now)) writable.addRange(of * block, block);
      }
    }
  }
}

function ignore(): void {}
