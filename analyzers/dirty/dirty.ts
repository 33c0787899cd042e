import type { CostProfile } from '../../replay/costs/cost-profile.ts';
import { costProfile } from '../../replay/costs/cost-profiles.ts';
import { DMA_WRITE, dmaWrite, leavesTablesAlone } from '../../replay/dirty/dma-writes.ts';
import { DIRTY_OP, DIRTY_SPACE, OUTCOME, STREAM_ID } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { formatRequester, pageNumber } from '../../traces/units.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { formatNs } from '../report/format-units.ts';
import { estimateHarvests } from './harvest-estimate.ts';
import type { HarvestEstimates } from './harvest-estimate.ts';
import { HarvestTally } from './harvest-tally.ts';
import type { HarvestSummary } from './harvest-tally.ts';
import type { LossFinding } from './harvest-reader.ts';
import { PAGE_BYTES } from './leaf-sets.ts';
import { MOST_SPACES } from './page-index.ts';
import { SyncTally } from './sync-tally.ts';
import type { MigrationReport } from './sync-tally.ts';
import { WaitingPages } from './waiting-pages.ts';
import { WriteTally } from './write-tally.ts';
import type { Intervals, WriteSummary } from './write-tally.ts';

/**
 * Where the writes come from: `dma`, of devices; `ram`, of a machine's CPUs, by QEMU; `harvest`, no writes, but what
 * GET_DIRTY_BITMAP reported.
 */
export type WriteSource = 'dma' | 'ram' | 'harvest';

export interface DirtyResult {
  readonly source: WriteSource | null;
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  /** Null where nothing was written. */
  readonly writes: WriteSummary | null;
  /** What harvests between the recorded ones would have reported; null where there are no two. */
  readonly harvested: Intervals | null;
  /** By the cost profile; null where `harvested` is. */
  readonly estimates: HarvestEstimates | null;
  /** Memory of the machine, as QEMU told. */
  readonly memoryBytes: number | null;
  /** Null where QEMU migrated nothing. */
  readonly migration: MigrationReport | null;
  /** Dirty rates that QEMU measured itself. */
  readonly measuredRates: readonly { readonly timeNs: Nanoseconds; readonly bytesPerSecond: number }[];
  /** GET_DIRTY_BITMAP calls; null without any. */
  readonly harvests: HarvestSummary | null;
  /** Sums of `findings`: of all, not of those that are listed. */
  readonly lost: {
    /** Bytes that nobody would have migrated: not reported, and forgotten. */
    readonly bytes: number;
    readonly calls: number;
    /** Of these by a defect of the kernel. */
    readonly defectBytes: number;
    readonly defectCalls: number;
  };
  /** The first 1,000. */
  readonly findings: readonly LossFinding[];
  readonly caveats: readonly string[];
}

const COLUMNS = {
  dma: ['rid', 'domain', 'iova', 'length', 'access', 'outcome', 'perm'],
  dirty: ['op', 'iova', 'length', 'space', 'duration', 'count', 'name'],
} as const;

export interface DirtyOptions {
  readonly driver?: string;
  /** What harvests cost: a profile, and parameters of `compare --dirty`. */
  readonly profile?: CostProfile;
  readonly parameters?: ReadonlyMap<string, number>;
}

/** Which memory is written when, and what it costs to find out. Deterministic. */
export function analyzeDirty(trace: Trace, options: DirtyOptions = {}): DirtyResult {
  const range = rangeOf(trace);
  const analysis = new DirtyAnalysis(trace.strings, range);
  for (const { stream, time, count, rows, firstEvent } of trace.segments({ columns: COLUMNS, reuse: true })) {
    const row = new Int32Array(32);
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      const r = row[id]!++;
      if (id === STREAM_ID.dma) analysis.dma(rows.dma.columns, r, time[i]!);
      else if (id === STREAM_ID.dirty) analysis.dirty(rows.dirty.columns, r, time[i]!, firstEvent + i);
    }
  }
  if (trace.streamCounts.ioctl > 0) analysis.calls(trace, options.driver);
  return analysis.result(options.profile ?? costProfile('auto', trace.header), options.parameters ?? new Map());
}

interface Range {
  readonly source: WriteSource;
  /** Harvests are recorded among the writes. */
  readonly synced: boolean;
  /** QEMU's `set` rows have no `write` before them. */
  readonly unheralded: boolean;
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
}

/** From the first to the last event of the streams that tell of writes. */
function rangeOf(trace: Trace): Range {
  let startNs = -1;
  let endNs = 0;
  let ram = false;
  let dma = false;
  let synced = false;
  let written = false;
  for (const { stream, time, count, rows } of trace.segments({ columns: { dma: ['access', 'perm'], dirty: ['op'] } })) {
    const row = new Int32Array(32);
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      const r = row[id]!++;
      if (id === STREAM_ID.dirty) {
        const op = rows.dirty.columns.op[r];
        ram ||= op === DIRTY_OP.write || op === DIRTY_OP.set;
        written ||= op === DIRTY_OP.write;
        synced ||= op === DIRTY_OP.syncStart;
      } else if (id === STREAM_ID.dma)
        dma ||= dmaWrite(rows.dma.columns.access[r]!, rows.dma.columns.perm[r]!) !== DMA_WRITE.no;
      else if (id !== STREAM_ID.ioctl) continue;
      if (startNs < 0) startNs = time[i]!;
      endNs = Math.max(endNs, time[i]!);
    }
  }
  const source = ram ? 'ram' : dma ? 'dma' : 'harvest';
  return { source, synced, unheralded: !written, startNs: Math.max(0, startNs), endNs };
}

const RAM_SPACE = 0;
/** What memory is made of, where nobody tells how much there is. */
const BLOCK_BYTES = 2 ** 21;
/** Harvests that are assumed where none is recorded: one each twentieth of the trace. */
const ASSUMED_HARVESTS = 20;
/** Pages of one write; what is longer counts in part. */
const MOST_WRITE_PAGES = 2 ** 19;

class DirtyAnalysis {
  readonly #strings: readonly string[];
  readonly #source: WriteSource;
  readonly #unheralded: boolean;
  readonly #range: { readonly startNs: Nanoseconds; readonly endNs: Nanoseconds };
  readonly #tally: WriteTally;
  readonly #syncs = new SyncTally();
  readonly #harvests = new HarvestTally();
  readonly #rates: { timeNs: Nanoseconds; bytesPerSecond: number }[] = [];
  /** Names of address spaces, by their number. */
  readonly #spaces: string[] = [];
  readonly #spaceOf = new Map<string | object, number>();
  /** Pages that became dirty while a synchronisation runs. */
  readonly #meanwhile = new Set<number>();
  readonly #waiting = new WaitingPages();
  #refused = 0;
  #bypassed = 0;
  /** Writes by what their translation permits, and accesses of which nothing tells. */
  #permitted = 0;
  #directionless = 0;
  #crowded = 0;
  /** Of harvests that are assumed; 0: they are recorded. */
  readonly #every: Nanoseconds;
  #assumed: number;

  constructor(strings: readonly string[], { source, synced, unheralded, startNs, endNs }: Range) {
    this.#strings = strings;
    this.#source = source;
    this.#unheralded = unheralded;
    this.#range = { startNs, endNs };
    this.#every = synced || source === 'harvest' ? 0 : Math.max(1, (endNs - startNs) / ASSUMED_HARVESTS);
    this.#assumed = this.#every > 0 ? 0 : ASSUMED_HARVESTS;
    this.#tally = new WriteTally(startNs, endNs);
    if (this.#every > 0) this.#tally.harvest(startNs);
    if (source === 'ram') this.#spaces.push('RAM');
  }

  /** Harvests that are due before `at`, where none is recorded. */
  #assume(at: Nanoseconds): void {
    for (; this.#assumed < ASSUMED_HARVESTS - 1; this.#assumed++) {
      const next = this.#range.startNs + (this.#assumed + 1) * this.#every;
      if (next >= at) return;
      this.#tally.harvest(next);
    }
  }

  dma(columns: Columns<'dma'>, r: number, at: Nanoseconds): void {
    const writes = dmaWrite(columns.access[r]!, columns.perm[r]!);
    if (this.#source !== 'dma' || writes === DMA_WRITE.no) return;
    if (leavesTablesAlone(columns.outcome[r]!)) {
      if ((columns.outcome[r]! & OUTCOME.fault) !== 0) this.#refused++;
      else this.#bypassed++;
      return;
    }
    if (writes === DMA_WRITE.permitted) this.#permitted++;
    else if (writes === DMA_WRITE.assumed) this.#directionless++;
    this.#assume(at);
    const domain = columns.domain[r]!;
    const name = domain >= 0 ? `domain ${domain}` : formatRequester(columns.rid[r]!);
    const space = this.#space(name, name);
    this.#write(space, columns.iovaLo[r]!, columns.iovaHi[r]!, columns.length[r]! >>> 0, at, true, true);
  }

  dirty(columns: Columns<'dirty'>, r: number, at: Nanoseconds, event: number): void {
    const op = columns.op[r]!;
    switch (op) {
      case DIRTY_OP.write:
      case DIRTY_OP.set: {
        if (columns.space[r] !== DIRTY_SPACE.ram || this.#source !== 'ram') return;
        // a `set` follows its `write` and names the same bytes
        const became = op === DIRTY_OP.set;
        this.#assume(at);
        const bytes = columns.lengthLo[r]! >>> 0;
        if (became) this.#waiting.became(pageNumber(columns.iovaLo[r]!, columns.iovaHi[r]!));
        this.#write(
          RAM_SPACE,
          columns.iovaLo[r]!,
          columns.iovaHi[r]!,
          bytes,
          at,
          !became || this.#unheralded,
          became || this.#every > 0,
        );
        return;
      }
      case DIRTY_OP.syncStart:
        this.#syncs.started(at, this.#tally.harvest(at), this.#waiting.collected());
        this.#meanwhile.clear();
        return;
      case DIRTY_OP.sync:
        this.#syncs.ended(event, at, wide(columns.countLo[r]!, columns.countHi[r]!), this.#meanwhile.size);
        return;
      case DIRTY_OP.pass:
        this.#syncs.passes = wide(columns.countLo[r]!, columns.countHi[r]!);
        return;
      case DIRTY_OP.send:
        this.#syncs.sentPages++;
        this.#waiting.sent(columns.name[r]!, pageNumber(columns.iovaLo[r]!, columns.iovaHi[r]!));
        return;
      case DIRTY_OP.throttle:
        this.#syncs.throttled(at, wide(columns.countLo[r]!, columns.countHi[r]!));
        return;
      case DIRTY_OP.rate:
        if (this.#rates.length < MOST_LISTED) {
          this.#rates.push({ timeNs: at, bytesPerSecond: wide(columns.countLo[r]!, columns.countHi[r]!) });
        }
        return;
      case DIRTY_OP.state:
        this.#syncs.state(at, this.#strings[columns.name[r]!] ?? '');
        return;
      case DIRTY_OP.report:
        this.#syncs.answered(this.#strings[columns.name[r]!] ?? '');
        return;
      default:
    }
  }

  calls(trace: Trace, driver: string | undefined): void {
    this.#harvests.read(trace, driver, ({ domain, dirty, timeNs }) => {
      if (this.#source !== 'harvest' || dirty.length === 0) return;
      const space = this.#space(domain, undefined);
      // entries come in order; what is smaller than a page shares one with the next
      let before = -1;
      for (const { start, bytes } of dirty) {
        const first = Number(start / BigInt(PAGE_BYTES));
        const last = Number((start + BigInt(bytes) - 1n) / BigInt(PAGE_BYTES));
        for (let page = Math.max(first, before + 1); page <= last; page++) {
          before = page;
          this.#tally.written(this.#tally.page(space, page | 0, Math.floor(page / 2 ** 32) & 0xf_ffff), timeNs);
        }
      }
    });
  }

  result(profile: CostProfile, parameters: ReadonlyMap<string, number>): DirtyResult {
    const harvests = this.#harvests.summary();
    if (this.#every > 0) {
      this.#assume(Number.POSITIVE_INFINITY);
      this.#tally.harvest(this.#range.endNs);
    }
    const writes = this.#tally.summary((space) => this.#spaces[space] ?? '(others)') ?? null;
    const harvested = this.#source === 'harvest' || writes === null ? null : this.#tally.intervals();
    const blocks = writes?.hotSets.find((set) => set.pageBytes === BLOCK_BYTES)?.pages ?? 0;
    const memory = this.#syncs.memoryBytes ?? Math.max(1, blocks) * BLOCK_BYTES;
    return {
      source: writes === null ? null : this.#source,
      ...this.#range,
      writes,
      harvested,
      estimates:
        harvested === null ? null : estimateHarvests(harvested, memory, profile, parameters, this.#source === 'ram'),
      memoryBytes: this.#syncs.memoryBytes,
      migration: this.#syncs.report(),
      measuredRates: this.#rates,
      harvests,
      lost: this.#harvests.lost,
      findings: this.#harvests.findings,
      caveats: this.#caveats(),
    };
  }

  /** `access`: it counts as a write; `dirties`: the pages are dirty now. */
  #write(
    space: number,
    lo: number,
    hi: number,
    bytes: number,
    at: Nanoseconds,
    access: boolean,
    dirties: boolean,
  ): void {
    const last = Math.min(MOST_WRITE_PAGES, Math.ceil(((lo & (PAGE_BYTES - 1)) + Math.max(1, bytes)) / PAGE_BYTES));
    const first = pageNumber(lo, hi);
    for (let i = 0; i < last; i++) {
      const number = first + i;
      const page = this.#tally.page(space, number | 0, Math.floor(number / 2 ** 32) & 0xf_ffff);
      if (access) this.#tally.written(page, at);
      if (!dirties) continue;
      this.#tally.dirtied(page);
      if (this.#syncs.running) this.#meanwhile.add(page);
    }
  }

  #space(key: string | object, name: string | undefined): number {
    let space = this.#spaceOf.get(key);
    if (space !== undefined) return space;
    space = Math.min(this.#spaces.length, MOST_SPACES - 1);
    if (space === MOST_SPACES - 1) this.#crowded++;
    else this.#spaces.push(name ?? `domain ${space}`);
    this.#spaceOf.set(key, space);
    return space;
  }

  #caveats(): string[] {
    const list: string[] = [];
    if (this.#source === 'ram') {
      list.push(
        'writes are those of CPUs that QEMU logged, by RAM address: a write to a page that is dirty already is not seen until it is clean again, so writes and rates are lower bounds between harvests',
      );
    }
    if (this.#every > 0) {
      list.push(`the trace has no harvests: over-reporting is of one each ${formatNs(this.#every)}, a twentieth of it`);
    }
    if (this.#source === 'harvest' && this.#harvests.count > 0) {
      list.push('the trace has no writes: pages are those that GET_DIRTY_BITMAP reported, at the time of the call');
    }
    if (this.#permitted > 0) {
      list.push(
        `the source does not tell reads from writes: ${this.#permitted} accesses through a writable translation count as writes`,
      );
    }
    if (this.#directionless > 0) {
      list.push(
        `${this.#directionless} accesses tell neither direction nor permission: they count as writes, so that pages and rates are upper bounds`,
      );
    }
    if (this.#bypassed > 0) {
      list.push(`${this.#bypassed} writes were not translated: no page table can tell of them, and they are left out`);
    }
    if (this.#refused > 0) list.push(`${this.#refused} writes were refused and dirty nothing`);
    if (this.#crowded > 0) list.push(`${this.#crowded + 1} address spaces beyond ${MOST_SPACES - 1} count as one`);
    if (this.#tally.beyond > 0) {
      list.push(`${this.#tally.beyond} writes are not counted: more than 64 GiB of different pages were written`);
    }
    return list;
  }
}

/** Rates, states and changes of throttling listed. */
const MOST_LISTED = 1000;

function wide(lo: number, hi: number): number {
  return (hi >>> 0) * 2 ** 32 + (lo >>> 0);
}
