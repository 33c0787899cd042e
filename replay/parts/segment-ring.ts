import { ReusedArrays } from '../../traces/format/array-pool.ts';
import type { ArrayPool } from '../../traces/format/array-pool.ts';
import { ColumnMachine, MACHINE_BYTES, hasMachines } from '../../traces/format/decoder/column-machine.ts';
import { KernelMemory } from '../model/kernel-memory.ts';

/**
 * Shared memory for the newest segments, so many of them: each is decoded where the oldest of them was. It is that of the machine
 * which decodes: JavaScript copies into shared memory slowly. Measured: with a copy decoding takes two to three times as long.
 */
export class SegmentRing implements ArrayPool {
  readonly machine: ColumnMachine | undefined;
  readonly #places: readonly ReusedArrays[];
  #at = 0;

  constructor(segments: number) {
    const memory = new KernelMemory(0);
    this.machine = hasMachines(true)
      ? new ColumnMachine(memory.memory, memory.allocate(MACHINE_BYTES), true, (array) => memory.has(array))
      : undefined;
    this.#places = Array.from({ length: segments }, () => new ReusedArrays((bytes) => memory.piece(bytes)));
  }

  reset(): void {
    this.#at = (this.#at + 1) % this.#places.length;
    this.#place.reset();
  }

  uint8(length: number): Uint8Array {
    return this.#place.uint8(length);
  }

  int32(length: number): Int32Array {
    return this.#place.int32(length);
  }

  float64(length: number): Float64Array {
    return this.#place.float64(length);
  }

  constant(value: number, length: number): Int32Array {
    return this.#place.constant(value, length);
  }

  get #place(): ReusedArrays {
    return this.#places[this.#at]!;
  }
}
