import type { TraceFile } from '../../traces/format/reader.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { AddressMap, coarserHeat } from './address-map.ts';
import type { AddressHeat } from './address-map.ts';
import { ADDRESS_PLAN } from './event-addresses.ts';
import { TimeBins, coarser } from './time-bins.ts';
import type { Binned } from './time-bins.ts';

/** Parts of the whole trace that are kept: 4 MiB of counts, and 1 MiB of addresses. */
const FINE_BINS = 65_536;
const FINE_HEAT_BINS = 4096;
/** Parts of an answer at most, and of its map of addresses. */
export const MOST_BINS = 2000;
const HEAT_BINS = 400;
/** Segments that one answer decodes at most; wider windows are answered from what is kept: 4 million events, a quarter of a second. */
export const MOST_SEGMENTS = 64;

/** A window of a trace in equal parts of time. */
export interface TraceWindow {
  readonly events: Binned;
  readonly heat: AddressHeat;
  /** Segments that were decoded for it; 0: answered from what is kept. */
  readonly decoded: number;
  /** Events of the window: from the first at or after its beginning to the first behind its end. */
  readonly firstEvent: number;
  readonly endEvent: number;
}

/** What is kept of a whole trace, made in one pass. */
export class TraceOverview {
  readonly from: Nanoseconds;
  readonly to: Nanoseconds;
  readonly #trace: TraceFile;
  readonly #fine: TimeBins;
  readonly #map: AddressMap;
  #heat: AddressHeat | undefined;

  constructor(trace: TraceFile) {
    const { from, to } = trace.timeRange ?? { from: 0, to: 1 };
    this.#trace = trace;
    this.from = from;
    this.to = Math.max(to, from + 1);
    this.#fine = new TimeBins(this.from, this.to, FINE_BINS);
    this.#map = new AddressMap(this.from, this.to, FINE_HEAT_BINS);
  }

  /** Reads the trace once; yields the number of events done. */
  *read(): Generator<number> {
    let done = 0;
    for (const segment of this.#trace.segments(ADDRESS_PLAN)) {
      this.#fine.add(segment);
      this.#map.add(segment);
      done += segment.count;
      yield done;
    }
    this.#heat = this.#map.heat();
  }

  /** A window in about so many parts. Only its segments are read, and none where there are too many. */
  window(from: Nanoseconds, to: Nanoseconds, bins: number): TraceWindow {
    const low = Math.max(this.from, Math.min(from, this.to - 1));
    const high = Math.min(this.to, Math.max(to, low + 1));
    const parts = Math.max(1, Math.min(MOST_BINS, Math.floor(bins)));
    const numbers = this.#segmentsOf(low, high);
    const span = { firstEvent: this.#eventAt(low), endEvent: this.#eventAt(high + 1) };
    if (numbers.length > MOST_SEGMENTS || (low === this.from && high === this.to)) {
      return { ...this.#kept(low, high, parts), decoded: 0, ...span };
    }
    const events = new TimeBins(low, high, parts);
    const map = new AddressMap(low, high, Math.min(HEAT_BINS, parts));
    for (const number of numbers) {
      const segment = this.#trace.readSegment(number, ADDRESS_PLAN);
      if (segment === undefined) continue;
      events.add(segment);
      map.add(segment);
    }
    return { events, heat: map.heat(), decoded: numbers.length, ...span };
  }

  #kept(low: Nanoseconds, high: Nanoseconds, parts: number): Pick<TraceWindow, 'events' | 'heat'> {
    const whole = this.#heat ?? this.#map.heat();
    const place = (ns: Nanoseconds, bins: number): number => ((ns - this.from) / (this.to - this.from)) * bins;
    const cut = (bins: number, wanted: number): readonly [first: number, last: number, every: number] => {
      const first = Math.min(bins - 1, Math.floor(place(low, bins)));
      const last = Math.max(first + 1, Math.ceil(place(high, bins)));
      return [first, last, Math.max(1, Math.ceil((last - first) / wanted))];
    };
    return {
      events: coarser(this.#fine, ...cut(FINE_BINS, parts)),
      heat: coarserHeat(whole, ...cut(FINE_HEAT_BINS, Math.min(HEAT_BINS, parts))),
    };
  }

  #segmentsOf(low: Nanoseconds, high: Nanoseconds): readonly number[] {
    const numbers: number[] = [];
    for (let number = 0; number < this.#trace.segmentCount; number++) {
      const span = this.#trace.segmentSpan(number);
      if (span !== undefined && span.tMax >= low && span.tMin <= high) numbers.push(number);
    }
    return numbers;
  }

  /** Index of the first event at or after a time; the number of events where there is none. */
  #eventAt(time: Nanoseconds): number {
    for (let number = 0; number < this.#trace.segmentCount; number++) {
      const span = this.#trace.segmentSpan(number);
      if (span === undefined || span.tMax < time) continue;
      if (span.tMin >= time) return span.firstEvent;
      const segment = this.#trace.readSegment(number, { columns: {} });
      const at = segment?.time.findIndex((one, i) => i < segment.count && one >= time) ?? 0;
      return span.firstEvent + Math.max(0, at);
    }
    return this.#trace.eventCount;
  }
}
