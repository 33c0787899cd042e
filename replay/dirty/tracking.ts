import type { Nanoseconds } from '../../traces/units.ts';
import { DIRTY_COUNT_NAMES, addCounts, noCounts } from './dirty-counts.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import type { DirtyMethod } from './dirty-method.ts';
import type { HarvestCosts, PartTime } from './harvest-costs.ts';
import { MappedRanges } from './mapped-ranges.ts';
import { PageSet } from './page-set.ts';
import { OPERATION } from './write-stream.ts';
import type { WriteStream } from './write-stream.ts';

/** What a harvest of everything told, judged by the oracle. Pages are 4 KiB. */
export interface HarvestOutcome {
  /** Mapped then. */
  readonly mapped: number;
  readonly reported: number;
  /** Written since the last harvest. */
  readonly written: number;
  /** Reported and not written; written and not reported. */
  readonly over: number;
  readonly missed: number;
  readonly ranges: number;
  readonly counts: DirtyCounts;
  readonly parts: readonly PartTime[];
}

export interface TrackingOptions {
  readonly stream: WriteStream;
  readonly method: DirtyMethod;
  readonly costs: HarvestCosts;
  /** Pages of one harvest call at most. */
  readonly chunkPages: number;
  /**
   * Only the first write to a page after a harvest is played: the others change nothing of what is reported where every
   * harvest is flushed. What accesses count is then not told.
   */
  readonly firstWrites?: boolean;
  /** Pages of the smallest leaf (1 where absent): mapped as long as any of them is. */
  readonly granulePages?: number;
}

/** An address space with what was written in it, by the oracle, and what was reported. */
interface Space {
  readonly mapped: MappedRanges;
  /** In whole granules, as the tables have it. */
  readonly tables: MappedRanges;
  readonly atStart: MappedRanges;
  readonly written: PageSet;
  readonly reported: PageSet;
}

/**
 * Plays a stream of maps and accesses for a method and judges its harvests against the truth: the set of pages written between
 * two of them. When the stream ends it begins again at its start, with the mappings that were there.
 */
export class Tracking {
  /** Accesses to pages that were not mapped. */
  unmapped = 0;
  /** Times that the stream began again; most are not played, and count as those that are. */
  repeats = 0;
  /** Ranges that were harvested because they were unmapped, and the time that it took their callers. */
  unmapHarvests = 0;
  unmapNs: Nanoseconds = 0;
  readonly #stream: WriteStream;
  readonly #method: DirtyMethod;
  readonly #costs: HarvestCosts;
  readonly #chunkPages: number;
  readonly #spaces: readonly Space[];
  readonly #first: number;
  readonly #changesMaps: boolean;
  readonly #firstWrites: boolean;
  readonly #granule: number;
  #tracking = false;
  #next: number;
  #now: Nanoseconds;

  constructor(options: TrackingOptions) {
    this.#stream = options.stream;
    this.#method = options.method;
    this.#costs = options.costs;
    this.#chunkPages = options.chunkPages;
    this.#firstWrites = options.firstWrites ?? false;
    this.#granule = options.granulePages ?? 1;
    const { stream } = options;
    this.#spaces = stream.domains.map(() => ({
      mapped: new MappedRanges(),
      tables: new MappedRanges(),
      atStart: new MappedRanges(),
      written: new PageSet(),
      reported: new PageSet(),
    }));
    const first = mapAtStart(
      stream,
      this.#spaces.map(({ mapped }) => mapped),
    );
    this.#first = first;
    let changes = false;
    for (let i = first; i < stream.length && !changes; i++) changes = stream.kind[i]! >= OPERATION.map;
    this.#changesMaps = changes;
    for (const [space, { mapped, tables, atStart }] of this.#spaces.entries()) {
      mapped.each((page, pages) => {
        atStart.add(page, pages, ignore);
        this.#enter(space, tables, page, pages);
      });
    }
    this.#next = first;
    this.#now = stream.startNs;
  }

  /** Mapped pages, now. */
  get pages(): number {
    return this.#spaces.reduce((sum, { mapped }) => sum + mapped.pages, 0);
  }

  /** Written pages since the last harvest. */
  get written(): number {
    return this.#spaces.reduce((sum, { written }) => sum + written.size, 0);
  }

  /** Plays `ns` of the stream's own time. */
  play(ns: Nanoseconds): void {
    const { startNs, endNs } = this.#stream;
    const window = Math.max(1, endNs - startNs);
    if (!this.#changesMaps && ns >= window) {
      this.#jump(ns, window);
      return;
    }
    let left = ns;
    while (left > 0) {
      const toEnd = startNs + window - this.#now;
      if (left < toEnd) {
        this.#until(this.#now + left);
        return;
      }
      this.#until(Infinity);
      left -= toEnd;
      this.#again();
      const whole = Math.floor(left / window);
      if (whole < 3) continue;
      // once all of the stream was played twice, what is dirty changes no more before the next harvest
      this.#until(Infinity);
      this.#again();
      const before = { ...this.#method.counts };
      this.#until(Infinity);
      this.#again();
      this.#scale(before, whole - 2);
      this.repeats += whole - 2;
      left -= whole * window;
    }
  }

  /** Plays the last round of many: after all of the stream, more of it makes nothing more dirty before the next harvest. */
  #jump(ns: Nanoseconds, window: Nanoseconds): void {
    const { startNs, time, length } = this.#stream;
    const passed = this.#now - startNs + ns;
    const target = startNs + (passed % window);
    let low = this.#first;
    let high = length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (time[middle]! > target) high = middle;
      else low = middle + 1;
    }
    const before = { ...this.#method.counts };
    this.#next = low;
    this.#until(Infinity);
    this.#again();
    this.#until(target);
    this.#scale(before, ns / window - 1);
    this.repeats += Math.max(0, Math.floor(passed / window) - 1);
  }

  /** What was counted since `before` happened so many times more. */
  #scale(before: DirtyCounts, times: number): void {
    const { counts } = this.#method;
    const once = noCounts();
    addCounts(once, counts, before);
    for (const name of DIRTY_COUNT_NAMES) counts[name] += Math.round(once[name] * times);
  }

  /** Plays all events of the stream up to a time of the trace that lies before its end. */
  playTo(time: Nanoseconds): void {
    this.#until(time);
  }

  /** Tracking begins; returns what that took. */
  start(): readonly PartTime[] {
    this.#tracking = true;
    const parts = this.#parts((space, page, pages) => this.#method.start(space, page, pages), true);
    for (const { written, reported } of this.#spaces) {
      written.clear();
      reported.clear();
    }
    return parts;
  }

  /** Tracking ends; returns what that took. */
  stop(): readonly PartTime[] {
    this.#tracking = false;
    return this.#parts((space, page, pages) => this.#method.stop(space, page, pages), false);
  }

  /**
   * Harvests all that is mapped, at one instant: pages are copied after it, so that what is written during it may be counted
   * to the next.
   */
  harvest(): HarvestOutcome {
    const before = { ...this.#method.counts };
    const spaces = this.#spaces;
    const parts = this.#parts((space, page, pages) => {
      const { reported } = spaces[space]!;
      this.#method.harvest(space, page, pages, (at, count) => void reported.addRange(at, count));
    }, false);
    const counts = noCounts();
    addCounts(counts, this.#method.counts, before);
    let pages = 0;
    let truth = 0;
    let over = 0;
    let missed = 0;
    let ranges = 0;
    for (const { written, reported } of spaces) {
      pages += reported.size;
      truth += written.size;
      over += reported.without(written);
      missed += written.without(reported);
      ranges += reported.runs();
      written.clear();
      reported.clear();
    }
    const converted = this.#costs.part(noCounts(), ranges);
    return {
      mapped: this.pages,
      reported: pages,
      written: truth,
      over,
      missed,
      ranges,
      counts,
      parts: spread(parts, converted),
    };
  }

  #parts(act: (space: number, page: number, pages: number) => void, starting: boolean): PartTime[] {
    const parts: PartTime[] = [];
    const { counts } = this.#method;
    for (const [space, { tables }] of this.#spaces.entries()) {
      tables.each((first, pages) => {
        for (let page = first; page < first + pages; ) {
          const end = Math.min(first + pages, (Math.floor(page / this.#chunkPages) + 1) * this.#chunkPages);
          const before = { ...counts };
          act(space, page, end - page);
          const done = noCounts();
          addCounts(done, counts, before);
          parts.push(this.#costs.part(done, 0, starting));
          page = end;
        }
      });
    }
    return parts;
  }

  #until(time: Nanoseconds): void {
    const { kind, space, page, count, length, time: times } = this.#stream;
    let i = this.#next;
    for (; i < length && times[i]! <= time; i++) {
      const which = kind[i]!;
      const at = page[i]!;
      const pages = count[i]!;
      if (which === OPERATION.map) this.#map(space[i]!, at, pages);
      else if (which === OPERATION.unmap) this.#unmap(space[i]!, at, pages);
      else if (this.#firstWrites) {
        if (which === OPERATION.write && this.#tracking) this.#write(space[i]!, at, pages);
      } else {
        const write = which === OPERATION.write;
        for (let p = at; p < at + pages; p++) {
          if (!this.#method.access(space[i]!, p, write)) this.unmapped++;
          else if (write && this.#tracking) this.#spaces[space[i]!]!.written.add(p);
        }
      }
    }
    this.#next = i;
    this.#now = time;
  }

  #write(space: number, page: number, pages: number): void {
    const { written } = this.#spaces[space]!;
    for (let p = page; p < page + pages; p++) {
      if (written.add(p) && !this.#method.access(space, p, true)) written.delete(p);
    }
  }

  /** The stream begins again, with the mappings of its start. */
  #again(): void {
    this.repeats++;
    this.#next = this.#first;
    this.#now = this.#stream.startNs;
    if (!this.#changesMaps) return;
    for (const [space, { mapped, atStart }] of this.#spaces.entries()) {
      const gone = new MappedRanges();
      mapped.each((page, pages) => gone.add(page, pages, ignore));
      atStart.each((page, pages) => gone.remove(page, pages, ignore));
      gone.each((page, pages) => this.#unmap(space, page, pages));
      atStart.each((page, pages) => this.#map(space, page, pages));
    }
  }

  #map(space: number, page: number, pages: number): void {
    const { mapped, tables } = this.#spaces[space]!;
    mapped.add(page, pages, ignore);
    this.#enter(space, tables, page, pages);
  }

  /** Granules that hold a page come into the tables. */
  #enter(space: number, tables: MappedRanges, page: number, pages: number): void {
    const granule = this.#granule;
    const first = page - (page % granule);
    const end = Math.ceil((page + pages) / granule) * granule;
    tables.add(first, end - first, (from, missing) => this.#method.map(space, from, missing));
  }

  /** Granules leave the tables with the last of their pages. */
  #unmap(space: number, page: number, pages: number): void {
    const { mapped, tables } = this.#spaces[space]!;
    const granule = this.#granule;
    const gone: (readonly [from: number, to: number])[] = [];
    mapped.remove(page, pages, (from, present) => void gone.push([from, from + present]));
    for (const [from, to] of gone) {
      let first = from - (from % granule);
      let end = Math.ceil(to / granule) * granule;
      if (mapped.holdsAny(first, granule)) first += granule;
      if (end > first && mapped.holdsAny(end - granule, granule)) end -= granule;
      if (end > first) tables.remove(first, end - first, (at, present) => this.#leave(space, at, present));
    }
  }

  /** With a mapping its dirty state goes, so it is read before. */
  #leave(space: number, from: number, present: number): void {
    if (!this.#tracking) {
      this.#method.unmap(space, from, present);
      return;
    }
    const { reported } = this.#spaces[space]!;
    const { counts } = this.#method;
    const before = { ...counts };
    this.#method.unmap(space, from, present, (at, dirty) => void reported.addRange(at, dirty));
    const done = noCounts();
    addCounts(done, counts, before);
    const { parallel, serial } = this.#costs.part(done, 0);
    this.unmapHarvests++;
    this.unmapNs += parallel + serial;
  }
}

function ignore(): void {}

/** Adds what converting the bitmaps takes to all parts alike. */
function spread(parts: readonly PartTime[], whole: PartTime): readonly PartTime[] {
  const share = parts.length === 0 ? 0 : whole.parallel / parts.length;
  return parts.map((part) => ({ ...part, parallel: part.parallel + share }));
}

/**
 * Fills `mapped`, by space, with what is mapped where the tracking begins: by what came before, and by the maps before any access.
 * Returns the index of the first operation after those.
 */
function mapAtStart(stream: WriteStream, mapped: readonly MappedRanges[]): number {
  const { kind, space, page, count, time, length, startNs } = stream;
  let i = 0;
  for (; i < length && (time[i]! < startNs || kind[i] === OPERATION.map); i++) {
    const ranges = mapped[space[i]!]!;
    if (kind[i] === OPERATION.map) ranges.add(page[i]!, count[i]!, ignore);
    else if (kind[i] === OPERATION.unmap) ranges.remove(page[i]!, count[i]!, ignore);
  }
  return i;
}

/** Pages that are mapped where the tracking begins. */
export function mappedAtStart(stream: WriteStream): number {
  const mapped = stream.domains.map(() => new MappedRanges());
  mapAtStart(stream, mapped);
  return mapped.reduce((sum, ranges) => sum + ranges.pages, 0);
}
