/** Watches what a process allocates in one piece, whether it is ever touched or not: resident memory shows only what is. */
export interface AllocationWatch {
  /** Bytes of the largest single allocation since the last `reset`. */
  largest(): number;
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

/** Replaces the global constructors by ones that note the length that they are called with. For a process of its own. */
export function watchAllocations(): AllocationWatch {
  let largest = 0;
  const scope = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;
  for (const [name, bytes] of Object.entries(BYTES)) {
    const original = scope[name];
    if (original === undefined) continue;
    scope[name] = new Proxy(original, {
      construct(target, args, newTarget): object {
        const [length] = args as [unknown];
        if (args.length === 1 && typeof length === 'number' && length * bytes > largest) largest = length * bytes;
        return Reflect.construct(target, args, newTarget === scope[name] ? target : newTarget) as object;
      },
    });
  }
  return {
    largest: () => largest,
    reset: () => {
      largest = 0;
    },
  };
}
