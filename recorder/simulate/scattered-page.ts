/**
 * Physical page of the k-th page of device d: neighbours in IOVA are no neighbours in memory, so that a page table holds
 * 4 KiB leaves. Pages of one device (fewer than 2^23) never share a physical page.
 */
export function scatteredPage(device: number, k: number): number {
  // Odd multiplier: a bijection of 23 bits.
  return 0x100000 + ((device & 0x7f) << 23) + (Math.imul(k, 0x2545f5) & 0x7fffff);
}
