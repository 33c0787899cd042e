import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { PageExchange } from './page-exchange.ts';
import type { ExchangeMemory } from './page-exchange.ts';

/** The thread that empties the kernel's buffers: it does little, so that it gets the processor when it wants it. */

export interface DrainTask {
  readonly pages: ExchangeMemory;
  /** Binary streams of the CPUs. */
  readonly paths: readonly string[];
}

/**
 * Between two looks. At 2 million events a second a buffer of 16 MiB fills in 150 ms; a look that finds nothing, or a sub-buffer
 * that is half full, costs as much as one that takes a whole one.
 */
const REST_MS = 20;
/** Sub-buffers taken from one CPU before the others have their turn. */
const TURN = 64;

/** Takes all that the kernel has; false where no slot was free. */
function drain(pages: PageExchange, descriptors: readonly number[]): boolean {
  const { slotBytes, bytes } = pages;
  for (let more = true; more; ) {
    more = false;
    for (let cpu = 0; cpu < descriptors.length; cpu++) {
      let turn = TURN;
      for (; turn > 0; turn--) {
        const slot = pages.takeFree();
        if (slot < 0) return false;
        if (!readPage(descriptors[cpu] ?? -1, bytes, slot * slotBytes, slotBytes)) {
          pages.putFreeAgain(slot);
          break;
        }
        pages.putFull(slot, cpu);
      }
      if (turn === 0) more = true;
    }
  }
  return true;
}

/** False where there is nothing. */
function readPage(descriptor: number, bytes: Uint8Array, at: number, length: number): boolean {
  try {
    const got = readSync(descriptor, bytes, at, length, null);
    // The rest of a short one must not look like events of the slot's last user.
    if (got > 0 && got < length) bytes.fill(0, at + got, at + length);
    return got > 0;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'EAGAIN' || code === 'EINTR') return false;
    throw error;
  }
}

/** What this thread has used of the processor: the first number of schedstat (Documentation/scheduler/sched-stats.rst). */
function threadCpuNs(): bigint {
  try {
    return BigInt(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ', 1)[0] ?? '0');
  } catch {
    return 0n;
  }
}

function run({ pages: memory, paths }: DrainTask): void {
  const pages = new PageExchange(memory);
  const descriptors: number[] = [];
  let failed = false;
  try {
    for (const path of paths) descriptors.push(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    pages.setReady();
    const begun = threadCpuNs();
    for (let stopping = false; ; ) {
      const now = process.hrtime.bigint();
      if (drain(pages, descriptors)) {
        pages.publishHorizon(now);
        if (stopping) break;
      }
      stopping = pages.rest(REST_MS);
    }
    pages.setCpuNs(threadCpuNs() - begun);
  } catch {
    failed = true;
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
    pages.setDone(failed);
  }
}

run(workerData as DrainTask);
