/** Where a writer's bytes go. Synchronous: what `write` returned from survives a kill of the process. */
export interface ByteSink {
  write(bytes: Uint8Array): void;
}

/** Random access to the bytes of a trace. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** Bytes from `offset`; fewer than `length` only at the end. The source does not touch them again; nor may their reader. */
  read(offset: number, length: number): Uint8Array;
}

/** A source over bytes in memory. */
export function memorySource(bytes: Uint8Array, name = 'memory'): ByteSource {
  return { name, size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}
