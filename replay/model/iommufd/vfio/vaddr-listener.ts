/**
 * Told when mappings of a TYPE1 container lose the address of the memory behind them (UNMAP_DMA with VADDR), and get a new one
 * (MAP_DMA with VADDR) or go. `container` is any object, the same each time; sizes are in bytes.
 */
export interface VaddrListener {
  invalidated(container: object, iova: bigint, size: bigint): void;
  restored(container: object, iova: bigint, size: bigint): void;
  /** Unmapped while it had no address. */
  unmapped(container: object, iova: bigint, size: bigint): void;
}
