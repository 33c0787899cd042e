import { IorrError } from '../../traces/errors.ts';
import type { MemoryPiece } from '../../traces/format/array-pool.ts';

const PAGE_BYTES = 65536;
/** 2 GiB, so that addresses are positive int32. */
const MOST_PAGES = 32768;

/** A WebAssembly memory, as far as it is used. */
export interface Memory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

interface Platform {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => Memory;
}

const { WebAssembly: platform } = globalThis as unknown as { readonly WebAssembly: Platform };

/**
 * The memory of a kernel: handed out from low addresses to high ones, never taken back. It is shared because what is there
 * stays where it is when shared memory grows; other memory is detached, and that slows every typed array of the process down.
 */
export class KernelMemory {
  readonly memory: Memory;
  /** All of it; anew after `allocate`. */
  ints: Int32Array;
  readonly #buffers = new WeakSet<ArrayBufferLike>();
  #top: number;

  /** Bytes from address 0 that are handed out already. */
  constructor(reserved: number) {
    const initial = Math.ceil(reserved / PAGE_BYTES);
    this.memory = new platform.Memory({ initial, maximum: MOST_PAGES, shared: true });
    this.ints = new Int32Array(this.memory.buffer);
    this.#buffers.add(this.memory.buffer);
    this.#top = (reserved + 63) & ~63;
  }

  /** Address of so many bytes, which are zero. Throws `LIMIT` beyond 2 GiB. */
  allocate(bytes: number): number {
    const at = this.#top;
    const top = at + ((bytes + 63) & ~63);
    const length = this.memory.buffer.byteLength;
    if (top > length) {
      const needed = Math.ceil((top - length) / PAGE_BYTES);
      const most = MOST_PAGES - length / PAGE_BYTES;
      if (needed > most) {
        throw new IorrError('LIMIT', 'the pages of this trace need more than 2 GiB of memory', {
          hint: 'cut the trace to a shorter time, or filter it to fewer domains',
        });
      }
      // by a quarter at least: each growth costs a call of the system
      this.memory.grow(Math.min(most, Math.max(needed, Math.floor(length / PAGE_BYTES / 4))));
      this.ints = new Int32Array(this.memory.buffer);
      this.#buffers.add(this.memory.buffer);
    }
    this.#top = top;
    return at;
  }

  piece(bytes: number): MemoryPiece {
    const at = this.allocate(bytes);
    return [this.memory.buffer, at];
  }

  /** True for arrays in this memory: their `byteOffset` is their address. */
  has(array: ArrayBufferView): boolean {
    return this.#buffers.has(array.buffer);
  }

  /** An unsigned 64-bit word, for counts. */
  wide(at: number): bigint {
    return new DataView(this.memory.buffer).getBigUint64(at, true);
  }
}
