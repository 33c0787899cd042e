import { callEvents, memoryOf, unsigned } from '../../replay/engine/ioctl-events.ts';
import { unsignedWords } from '../../replay/engine/ioctl-comparison.ts';
import { IoctlVerification, traceFacts } from '../../replay/engine/verify-ioctl.ts';
import type { DirtyLoss } from '../../replay/model/iommufd/harvest-listener.ts';
import type { Harvest } from '../../replay/model/iommufd/intents.ts';
import { QUIRKS } from '../../replay/model/iommufd/quirks.ts';
import type { Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import type { UserMemory } from '../../traces/user-memory.ts';

/** A GET_DIRTY_BITMAP that succeeded. */
export interface HarvestCall extends Omit<Harvest, 'bitmap'> {
  readonly event: number;
  readonly timeNs: Nanoseconds;
  /** In the kernel; 0 where it is not known. */
  readonly durationNs: Nanoseconds;
  readonly domain: object;
  /** Bits that it set, and what they stand for: entries, as far as they lie in the request. */
  readonly bits: number;
  readonly dirty: readonly DirtyRange[];
  /** Mapped bytes that were looked at, and entries of the table; null where there are too many to count. */
  readonly walkedBytes: number;
  readonly entries: number | null;
}

interface DirtyRange {
  readonly start: bigint;
  readonly bytes: number;
}

/** Pages that lie one behind the other. */
export interface PageRange {
  readonly iova: string;
  readonly bytes: number;
}

/** Dirty pages that a GET_DIRTY_BITMAP did not tell of. */
export interface LossFinding {
  /** The ioctl. */
  readonly event: number;
  readonly timeNs: Nanoseconds;
  /** `defect`: of the kernel; `bitmap`: the caller's memory could not be written, and the kernel does not say so. */
  readonly kind: 'defect' | 'bitmap';
  /** Of the defect. */
  readonly quirk: string | null;
  readonly what: string;
  /** The cause alone. */
  readonly why: string;
  readonly bytes: number;
  /** Of `pageBytes`, the request's page size. */
  readonly pages: number;
  readonly pageBytes: number;
  /** Which: the first 100 ranges. */
  readonly ranges: readonly PageRange[];
  readonly moreRanges: number;
  /** The table forgot them, too: they would not have been migrated. Else a later request tells of them. */
  readonly cleared: boolean;
  /** The recorded bitmap shows it; null: by the model alone, the bitmap was not recorded. */
  readonly seen: boolean | null;
}

/** Runs the ioctls of a trace through the model of IOMMUFD; its harvests and what they lost, in trace order. */
export function readHarvests(
  trace: Trace,
  driver: string | undefined,
  took: (harvest: HarvestCall) => void,
  lost: (finding: LossFinding) => void,
): void {
  let harvests: Omit<HarvestCall, 'event' | 'timeNs' | 'durationNs'>[] = [];
  let losses: DirtyLoss[] = [];
  let dirty: DirtyRange[] = [];
  let bits = 0;
  let walkedBytes = 0;
  let entries: number | null = 0;
  const nothing = (): void => {};
  const run = new IoctlVerification(traceFacts(trace, driver), {
    intents: {
      mapped: nothing,
      unmapped: nothing,
      attached: nothing,
      detached: nothing,
      tracking: nothing,
      invalidated: nothing,
      harvested: (domain, { iova, length, pageSize, flags }) => {
        harvests.push({ domain, walkedBytes, entries, bits, dirty, iova, length, pageSize, flags });
      },
    },
    harvests: {
      reported: (start, bytes, set) => {
        dirty.push({ start, bytes });
        bits += set;
      },
      dirtyLost: (loss) => losses.push(loss),
      walked: (bytes, count) => {
        walkedBytes = Number(bytes);
        entries = count;
      },
    },
  });
  for (const { index, stream, row, segment } of callEvents(trace)) {
    const place = index - segment.firstEvent;
    if (stream === 'lost') run.lost();
    else if (stream === 'call') {
      run.call(index, segment.rows.call.columns, row, trace.strings, segment.task[place] ?? -1);
    } else {
      const { columns } = segment.rows.ioctl;
      run.ioctl(index, columns, row, trace.strings);
      if (harvests.length === 0 && losses.length === 0 && dirty.length === 0) continue;
      // what the kernel refused harvested nothing, whatever the model thinks
      if (columns.errno[row] === 0) {
        const call = { event: index, timeNs: segment.time[place] ?? 0 };
        const durationNs = unsigned(columns.durationLo, columns.durationHi, row);
        for (const harvest of harvests) took({ ...harvest, ...call, durationNs });
        for (const finding of findingsOf(call, losses, memoryOf(columns.memory, row))) lost(finding);
      }
      harvests = [];
      losses = [];
      dirty = [];
      bits = 0;
    }
  }
}

const MOST_RANGES = 100;

/** What a call lost by each cause. What the recorded bitmap shows to be told is not lost. */
function findingsOf(
  call: Pick<LossFinding, 'event' | 'timeNs'>,
  losses: readonly DirtyLoss[],
  memory: readonly UserMemory[],
): LossFinding[] {
  return (['contiguous-dirty-tail', 'unwritable-bitmap'] as const).flatMap((cause) => {
    const ranges: PageRange[] = [];
    let pages = 0;
    let count = 0;
    let seen: boolean | null = true;
    let shift = 0;
    let cleared = false;
    for (const loss of losses) {
      const [first, last] = loss.bits;
      if (loss.cause !== cause) continue;
      const zero = cause === 'unwritable-bitmap' ? null : zeroBits(memory, Number(loss.data), first, last);
      if (zero === false) continue;
      if (zero === null) seen = null;
      ({ shift, cleared } = loss);
      pages += last - first + 1;
      count++;
      if (ranges.length >= MOST_RANGES) continue;
      const start = loss.iova + (BigInt(first) << BigInt(shift));
      ranges.push({ iova: `0x${start.toString(16)}`, bytes: (last - first + 1) * 2 ** shift });
    }
    if (count === 0) return [];
    const quirk = cause === 'contiguous-dirty-tail' ? QUIRKS[cause] : null;
    const why = quirk === null ? 'the bitmap can not be written there' : quirk.what;
    const after = cleared ? 'and forgotten, so that nobody will migrate them' : 'though not forgotten';
    const kind = quirk === null ? 'bitmap' : 'defect';
    const pageBytes = 2 ** shift;
    const what = `${pages} dirty ${pages === 1 ? 'page' : 'pages'} of ${pageBytes} bytes not reported, ${after}: ${why}`;
    const sizes = { bytes: pages * pageBytes, pages, pageBytes };
    const moreRanges = count - ranges.length;
    return [
      { ...call, kind, quirk: quirk?.name ?? null, what, why, ...sizes, ranges, moreRanges, cleared, seen },
    ] as const;
  });
}

/** Whether all bits are 0 in the bitmap that was recorded when the call returned; null where it was not. */
function zeroBits(memory: readonly UserMemory[], data: number, first: number, last: number): boolean | null {
  const item = memory.find(({ addressLo, addressHi }) => unsignedWords(addressLo, addressHi) === data);
  const bytes = item?.after;
  if (bytes === undefined || bytes === null || Math.floor(last / 8) >= bytes.length) return null;
  for (let bit = first; bit <= last; bit++) if (((bytes[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0) return false;
  return true;
}
