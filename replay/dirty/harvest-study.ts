import type { Nanoseconds } from '../../traces/units.ts';
import { addCounts, noCounts } from './dirty-counts.ts';
import type { DirtyCounts } from './dirty-counts.ts';
import type { HarvestSeries } from './dirty-result.ts';
import type { PartTime } from './harvest-costs.ts';
import type { HarvestOutcome, Tracking } from './tracking.ts';
import type { WriteStream } from './write-stream.ts';

const MOST_HARVESTS = 1000;
const USUAL_HARVESTS = 20;

/** When harvests happen: at times of the trace. */
export interface HarvestTimes {
  readonly at: readonly Nanoseconds[];
  readonly interval: 'recorded' | Nanoseconds;
}

/** As recorded, or every `intervalNs` (0: a twentieth of the trace); 1,000 at most. The last one is at the end. */
export function harvestTimes(stream: WriteStream, intervalNs: Nanoseconds): HarvestTimes {
  const { startNs, endNs, harvests } = stream;
  if (intervalNs === 0 && harvests.length >= 2 && harvests.length <= MOST_HARVESTS) {
    return { at: harvests, interval: 'recorded' };
  }
  const window = Math.max(1, endNs - startNs);
  const wanted = intervalNs === 0 ? window / USUAL_HARVESTS : intervalNs;
  const interval = Math.max(wanted, window / MOST_HARVESTS);
  const count = Math.max(1, Math.ceil(window / interval - 1e-9));
  return { at: Array.from({ length: count }, (_, i) => Math.min(endNs, startNs + (i + 1) * interval)), interval };
}

/** Harvests of one method in the trace's own time. */
export interface HarvestStudy {
  readonly outcomes: readonly HarvestOutcome[];
  readonly started: readonly PartTime[];
  readonly stopped: readonly PartTime[];
  /** Of the harvests alone, and of all from start to stop. */
  readonly counts: DirtyCounts;
  readonly tracking: DirtyCounts;
  readonly series: HarvestSeries;
}

export function studyHarvests(tracking: Tracking, counted: DirtyCounts, times: HarvestTimes): HarvestStudy {
  const before = { ...counted };
  const started = tracking.start();
  const outcomes: HarvestOutcome[] = [];
  const counts = noCounts();
  for (const at of times.at) {
    // the last instant belongs to this harvest, not to a repetition of the stream
    tracking.playTo(at);
    const outcome = tracking.harvest();
    outcomes.push(outcome);
    addCounts(counts, outcome.counts);
  }
  const stopped = tracking.stop();
  const all = noCounts();
  addCounts(all, counted, before);
  const of = (value: (outcome: HarvestOutcome) => number): readonly number[] => outcomes.map(value);
  return {
    outcomes,
    started,
    stopped,
    counts,
    tracking: all,
    series: {
      t: times.at.map((at) => Math.round(at)),
      written: of((one) => one.written),
      reported: of((one) => one.reported),
      over: of((one) => one.over),
      missed: of((one) => one.missed),
      ranges: of((one) => one.ranges),
      entriesRead: of((one) => one.counts.entriesRead),
      entriesCleared: of((one) => one.counts.entriesCleared),
    },
  };
}
