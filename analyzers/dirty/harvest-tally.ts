import type { Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { readHarvests } from './harvest-reader.ts';
import type { HarvestCall, LossFinding } from './harvest-reader.ts';

/** Calls and findings listed; sums are of all. */
const MOST_LISTED = 1000;
const GIB = 2 ** 30;
const NO_CLEAR = 1;

/** One GET_DIRTY_BITMAP. */
export interface HarvestReport {
  readonly event: number;
  readonly timeNs: Nanoseconds;
  /** In the kernel; null where it is not known. */
  readonly durationNs: Nanoseconds | null;
  readonly iova: string;
  /** Asked for, and mapped there. */
  readonly bytes: number;
  readonly walkedBytes: number;
  /** Table entries read; null where there are too many to count. */
  readonly entries: number | null;
  readonly pageBytes: number;
  readonly bitmapBytes: number;
  /** Bits that it set in the caller's bitmap. */
  readonly bits: number;
  readonly cleared: boolean;
  /** Invalidations: Linux gathers all that became clean and flushes once. */
  readonly flushes: number;
}

/** All GET_DIRTY_BITMAP calls together. */
export interface HarvestSummary {
  readonly calls: number;
  readonly clearing: number;
  /** Mapped bytes that they looked at, and entries of the table; null where there are too many to count. */
  readonly walkedBytes: number;
  readonly entries: number | null;
  /** Of what is mapped. */
  readonly bitmapBytes: number;
  readonly bits: number;
  readonly flushes: number;
  /** In the kernel; null where no duration is known. */
  readonly durationNs: Nanoseconds | null;
  /** Of calls of known duration: their time for the mapped memory that they looked at. */
  readonly nsPerGib: number | null;
  /** The first 1,000. */
  readonly list: readonly HarvestReport[];
}

/** Sums up what GET_DIRTY_BITMAP calls cost, and what they lost. */
export class HarvestTally {
  count = 0;
  readonly findings: LossFinding[] = [];
  readonly lost = { bytes: 0, calls: 0, defectBytes: 0, defectCalls: 0 };
  readonly #list: HarvestReport[] = [];
  readonly #sum = {
    clearing: 0,
    walkedBytes: 0,
    entries: 0,
    bitmapBytes: 0,
    bits: 0,
    flushes: 0,
    durationNs: 0,
    timedBytes: 0,
  };
  #uncounted = false;
  #lossEvent = -1;

  read(trace: Trace, driver: string | undefined, took: (harvest: HarvestCall) => void): void {
    readHarvests(
      trace,
      driver,
      (harvest) => {
        this.#harvest(harvest);
        took(harvest);
      },
      (finding) => this.#finding(finding),
    );
  }

  summary(): HarvestSummary | null {
    if (this.count === 0) return null;
    const { clearing, walkedBytes, entries, bitmapBytes, bits, flushes, durationNs, timedBytes } = this.#sum;
    return {
      calls: this.count,
      clearing,
      walkedBytes,
      entries: this.#uncounted ? null : entries,
      bitmapBytes,
      bits,
      flushes,
      durationNs: durationNs === 0 ? null : durationNs,
      nsPerGib: timedBytes === 0 ? null : (durationNs / timedBytes) * GIB,
      list: this.#list,
    };
  }

  #harvest(harvest: HarvestCall): void {
    const { event, timeNs, durationNs, iova, length, pageSize, flags, bits, walkedBytes, entries } = harvest;
    this.count++;
    const sum = this.#sum;
    // a length of 0 is 2^64
    const bytes = length === 0n ? 2 ** 64 : Number(length);
    const pageBytes = Number(pageSize & -pageSize);
    const bitmapBytes = Math.ceil(bytes / pageBytes / 8);
    const cleared = (flags & NO_CLEAR) === 0;
    const flushes = cleared && bits > 0 ? 1 : 0;
    if (cleared) sum.clearing++;
    sum.walkedBytes += walkedBytes;
    sum.entries += entries ?? 0;
    if (entries === null) this.#uncounted = true;
    // bitmaps of what is not mapped are neither read nor written
    sum.bitmapBytes += Math.min(bitmapBytes, Math.ceil(walkedBytes / pageBytes / 8));
    sum.bits += bits;
    sum.flushes += flushes;
    if (durationNs > 0) {
      sum.durationNs += durationNs;
      sum.timedBytes += walkedBytes;
    }
    if (this.#list.length >= MOST_LISTED) return;
    this.#list.push({
      event,
      timeNs,
      durationNs: durationNs === 0 ? null : durationNs,
      iova: `0x${iova.toString(16)}`,
      bytes,
      walkedBytes,
      entries,
      pageBytes,
      bitmapBytes,
      bits,
      cleared,
      flushes,
    });
  }

  #finding(finding: LossFinding): void {
    const { lost } = this;
    if (finding.cleared) {
      lost.bytes += finding.bytes;
      if (this.#lossEvent !== finding.event) lost.calls++;
      this.#lossEvent = finding.event;
      if (finding.kind === 'defect') {
        lost.defectBytes += finding.bytes;
        lost.defectCalls++;
      }
    }
    if (this.findings.length < MOST_LISTED) this.findings.push(finding);
  }
}
