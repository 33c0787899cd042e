/** Adds bytes, fewer than 2^57 and a multiple of 2^12, to an address in two int32 columns. */
export function moveAddress(lo: Int32Array, hi: Int32Array, row: number, bytes: number): void {
  const low = (lo[row]! >>> 0) + (bytes % 2 ** 32);
  lo[row] = low | 0;
  hi[row] = (hi[row]! + Math.floor(bytes / 2 ** 32) + (low >= 2 ** 32 ? 1 : 0)) | 0;
}
