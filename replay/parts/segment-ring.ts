import { ReusedArrays } from '../../traces/format/array-pool.ts';
import type { ArrayPool } from '../../traces/format/array-pool.ts';

/** Shared memory for the newest segments, so many of them: each is decoded where the oldest of them was. */
export class SegmentRing implements ArrayPool {
  readonly #places: readonly ReusedArrays[];
  #at = 0;

  constructor(segments: number) {
    this.#places = Array.from(
      { length: segments },
      () => new ReusedArrays((bytes) => [new SharedArrayBuffer(bytes), 0]),
    );
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
