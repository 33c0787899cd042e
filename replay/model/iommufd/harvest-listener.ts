/**
 * Pages whose dirty bits GET_DIRTY_BITMAP left 0 although they are dirty:
 * - `contiguous-dirty-tail`: by the kernel's defect of that name (`quirks.ts`);
 * - `unwritable-bitmap`: the caller's bitmap can't be written there, which the kernel does not tell (iova_bitmap_set).
 */
export interface DirtyLoss {
  readonly cause: 'contiguous-dirty-tail' | 'unwritable-bitmap';
  /** Of the request: what bit 0 stands for. */
  readonly iova: bigint;
  /** log2 of the bytes of one bit. */
  readonly shift: number;
  /** User address of the bitmap. */
  readonly data: bigint;
  /** First and last bit. */
  readonly bits: readonly [first: number, last: number];
  /** The table's dirty state is gone, too: nobody will ever be told. Else a later request tells. */
  readonly cleared: boolean;
}

/** Told what GET_DIRTY_BITMAP finds. */
export interface HarvestListener {
  /** So many bits are set for `bytes` from `start` on: of an entry, as far as it lies in the request. */
  reported(start: bigint, bytes: number, bits: number): void;
  dirtyLost(loss: DirtyLoss): void;
  /** It looked at so many bytes that are mapped, and at so many table entries; null where there are too many to count. */
  walked(bytes: bigint, entries: number | null): void;
}
