import { OPERATION } from '../write-stream.ts';
import type { WriteStream } from '../write-stream.ts';

/** One operation of a stream in a test; `at` in ns, pages of 4 KiB. */
export interface Sketch {
  readonly what: keyof typeof OPERATION;
  readonly page: number;
  readonly pages?: number;
  readonly at: number;
}

/** A stream of one address space, from its first operation to `endNs`. */
export function sketchedStream(
  sketch: readonly Sketch[],
  endNs: number,
  harvests: readonly number[] = [],
): WriteStream {
  return {
    source: 'dma',
    length: sketch.length,
    kind: Uint8Array.from(sketch, ({ what }) => OPERATION[what]),
    space: new Uint16Array(sketch.length),
    time: Float64Array.from(sketch, ({ at }) => at),
    page: Float64Array.from(sketch, ({ page }) => page),
    count: Int32Array.from(sketch, ({ pages = 1 }) => pages),
    domains: [1],
    startNs: sketch[0]?.at ?? 0,
    endNs,
    harvests,
    ignored: 0,
    assumed: 0,
    held: [],
    migration: null,
  };
}
