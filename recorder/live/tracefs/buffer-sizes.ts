import type { System } from '../system.ts';

/** How much memory the kernel gets for events that were not read yet. */
export interface BufferSizes {
  /** Per CPU, in KiB. */
  readonly cpuKb: number;
  /** Of one sub-buffer, in KiB. The kernel rounds it up to pages, a power of two of them. */
  readonly subBufferKb: number;
}

const MIB = 1024 * 1024;
/** All CPUs together, unless the user says. */
const DEFAULT_BYTES = 64 * MIB;
/** A recorder that is held up for a tenth of a second by 2 million system calls a second needs 10 MiB (50 bytes each). */
const MOST_PER_CPU = 16 * MIB;
const LEAST_PER_CPU = MIB;
/** Larger ones save calls: 64 KiB hold about 1,300 events of system calls, and reading them costs little more than 4 KiB. */
const SUB_BUFFER_KB = 64;
/** Fewer than these and the reader's own takes a good part of the buffer. */
const SUB_BUFFERS = 16;

function availableBytes(system: System): number {
  const kb = /^MemAvailable:\s+(\d{1,12}) kB/m.exec(system.read('/proc/meminfo') ?? '')?.[1];
  return kb === undefined ? Number.POSITIVE_INFINITY : Number(kb) * 1024;
}

/** `wanted` and `subBuffer` in bytes, where the user says. */
export function chooseBufferSizes(
  system: System,
  cpus: number,
  wanted: number | undefined,
  subBuffer: number | undefined,
): BufferSizes {
  const most = Math.min(DEFAULT_BYTES, availableBytes(system) / 8);
  const own = Math.min(MOST_PER_CPU, Math.max(LEAST_PER_CPU, most / cpus));
  const cpuBytes = wanted === undefined ? own : wanted / cpus;
  const cpuKb = Math.max(1, Math.floor(cpuBytes / 1024));
  const fitting = 2 ** Math.floor(Math.log2(Math.max(4, cpuKb / SUB_BUFFERS)));
  const subBufferKb =
    subBuffer === undefined ? Math.min(SUB_BUFFER_KB, fitting) : Math.max(1, Math.ceil(subBuffer / 1024));
  return { cpuKb, subBufferKb };
}
