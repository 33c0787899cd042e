import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';

/** Watches what a process allocates, whether it is ever touched or not: resident memory shows only what is. */
export interface AllocationWatch {
  /** Bytes of the largest single allocation since the last `reset`. */
  largest(): number;
  /** Bytes of all allocations since the last `reset`, freed ones too. */
  total(): number;
  reset(): void;
}

const BYTES = {
  ArrayBuffer: 1,
  SharedArrayBuffer: 1,
  Uint8Array: 1,
  Int32Array: 4,
  Float64Array: 8,
  Array: 8,
} as const;

/** Replaces the global constructors and the inflaters by ones that note what they are asked for. For a process of its own. */
export function watchAllocations(): AllocationWatch {
  let largest = 0;
  let total = 0;
  const note = (bytes: number): void => {
    total += bytes;
    if (bytes > largest) largest = bytes;
  };
  const scope = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;
  for (const [name, bytes] of Object.entries(BYTES)) {
    const original = scope[name];
    if (original === undefined) continue;
    const watched = new Proxy(original, {
      construct(target, args, newTarget): object {
        const [length] = args as [unknown];
        if (args.length === 1 && typeof length === 'number') note(length * bytes);
        return Reflect.construct(target, args, newTarget === watched ? target : newTarget) as object;
      },
    });
    scope[name] = watched;
  }
  // Output buffers of zlib are made inside of Node.
  const inflate = zlib.inflateRawSync;
  zlib.inflateRawSync = (input, options) => {
    note(options?.chunkSize ?? 0);
    return inflate(input, options);
  };
  syncBuiltinESMExports();
  return {
    largest: () => largest,
    total: () => total,
    reset: () => {
      largest = 0;
      total = 0;
    },
  };
}
