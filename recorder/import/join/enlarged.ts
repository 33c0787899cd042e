type Numbers = Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/** A copy of twice the length. */
export function enlarged<T extends Numbers>(array: T, type: new (length: number) => T): T {
  const next = new type(array.length * 2);
  next.set(array);
  return next;
}
