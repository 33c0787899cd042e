import type { Estimate } from '../calibrate/robust-fit.ts';

/** What harvests of real page-table memory take on a machine. Times are wall times. */
export interface HarvestMeasurement {
  /** The tables: format, log2 of the bytes of a leaf, guest memory, and bytes and entries that hold leaves. */
  readonly format: string;
  readonly leafShift: number;
  readonly guestBytes: number;
  readonly tableBytes: number;
  readonly entries: number;
  /** Rounds in which everything was measured in turn. */
  readonly rounds: number;
  /** Clean tables that no cache holds, by threads, ascending. */
  readonly cold: readonly ColdScan[];
  /** Bytes of table a second, one thread, of tables that its core's caches hold. */
  readonly warm: Estimate;
  /** One thread, by the share of leaves that is dirty, ascending. */
  readonly dirty: readonly DirtyScan[];
  /** Bytes a second that one thread copies (`TypedArray.prototype.set`) from the same tables into other memory. */
  readonly copy: Estimate;
  /** Rate of one thread on cold tables to that of the copy, and to that of a reference, in the same rounds. */
  readonly toCopy: Estimate;
  readonly reference: { readonly rate: Estimate; readonly ratio: Estimate } | undefined;
  /** ns of one write to a random clean page: the walk and setting its bit. */
  readonly write: Estimate;
}

export interface ColdScan {
  readonly threads: number;
  /** Bytes of table a second, of all threads together. */
  readonly rate: Estimate;
  /** That rate to one thread's, in the same round. */
  readonly scaling: Estimate;
}

export interface DirtyScan {
  readonly share: number;
  readonly leaves: number;
  /** Bytes of table a second. */
  readonly rate: Estimate;
  /** ns that a dirty leaf adds, above a scan of clean ones. */
  readonly perLeaf: Estimate;
}

/** The time of a harvest by these figures, in ns: `dirty` leaves among cold tables of so many bytes. */
export function harvestNs(
  measured: HarvestMeasurement,
  { tableBytes, dirty, threads }: { readonly tableBytes: number; readonly dirty: number; readonly threads: number },
): number {
  const scan = measured.cold.findLast((one) => one.threads <= threads) ?? measured.cold[0];
  if (scan === undefined) throw new RangeError('a measurement without a cold scan');
  const share = dirty / (tableBytes / (measured.tableBytes / measured.entries));
  const nearest = measured.dirty.filter((one) => one.share > 0);
  const found = nearest.findLast((one) => one.share <= share * 1.0001) ?? nearest[0];
  return (tableBytes / scan.rate.value) * 1e9 + (dirty * (found?.perLeaf.value ?? 0)) / scan.threads;
}
