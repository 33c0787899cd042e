import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { isNotForKernel } from '../engine/counting-steps.ts';
import { deriveIntents } from '../engine/derived-trace.ts';
import { GAP_NS, REPLAY_COLUMNS, createPlayer, replayResult } from '../engine/replay.ts';
import type { ReplayOptions } from '../engine/replay.ts';
import { SeriesBuilder } from '../engine/time-series.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { iotlbGeometry } from '../model/organisation.ts';
import { REPLACEMENT } from '../model/replacement.ts';
import type { ReplayResult } from '../results.ts';
import { joinCounts } from './merge-parts.ts';
import { createNextLevel } from './next-level.ts';
import type { PartLanes } from './part-lanes.ts';
import type { PartFinds } from './set-part.ts';
import { SegmentRing } from './segment-ring.ts';

/** Segments that the parts may have in front of them: bounds the memory of shared columns. */
const WINDOW = 4;

/** The result, the same as of `replayTrace`; or what can't be split, for one thread to play; or it was aborted. */
export type PartsAnswer = { readonly result: ReplayResult } | { readonly refused: string } | { readonly aborted: true };

export interface PartsOptions extends ReplayOptions {
  readonly hardware: HardwareProfile;
  readonly lanes: (hardware: HardwareProfile) => PartLanes;
  readonly signal: AbortSignal;
  /** Told how many events are done. */
  readonly progress?: (events: number) => void;
}

/** What of the hardware or the question can't be split by sets; undefined where nothing is known to be in the way. */
export function partsRefusal(trace: Trace, { hardware, accesses }: PartsOptions): string | undefined {
  const geometry = iotlbGeometry(hardware);
  if (geometry === undefined) return `the IOTLB of ${hardware.name} has no sets`;
  const [bank, other] = geometry.banks;
  if (bank === undefined || other !== undefined)
    return 'the IOTLB has sets for each page size: a page may be in more than one';
  if (bank.sets === 1) return 'the IOTLB is fully associative: it is one set';
  if (geometry.replacement === REPLACEMENT.random) return 'random replacement draws for all sets in one sequence';
  if (accesses !== undefined) return 'an access model makes accesses as it goes';
  if (trace.streamCounts.dma === 0) return 'the trace has no accesses';
  return undefined;
}

/**
 * Replays a trace as recorded, side by side and exactly: parts of the IOTLB's sets look up their pages and tell which accesses missed,
 * which is what the next level in this thread takes in the order of the trace, a few segments behind. Every part takes all maps, unmaps
 * and commands, so that each sees the page tables as of its event. The result does not depend on how many parts there are.
 */
export async function replayInParts(recording: Trace, options: PartsOptions): Promise<PartsAnswer> {
  const { hardware, signal, progress } = options;
  const clock = options.clock ?? ((): number => 0);
  const began = clock();
  const derived = deriveIntents(recording, options.driver);
  const trace = derived ?? recording;
  const refused = partsRefusal(trace, options);
  if (refused !== undefined) return { refused };
  const next = createNextLevel(hardware);
  const series = new SeriesBuilder();
  const player = createPlayer(next.played, series);
  const waiting: { readonly segment: Segment; readonly shift: Nanoseconds; readonly finds: Promise<PartFinds> }[] = [];
  let events = 0;
  const step = async (): Promise<void> => {
    const [first] = waiting.splice(0, 1);
    if (first === undefined) return;
    next.begin(await first.finds);
    player.play(first.segment, first.shift);
    events += first.segment.count;
    progress?.(events);
  };
  const lanes = options.lanes(hardware);
  try {
    const arrays = new SegmentRing(WINDOW + 1);
    let shift = 0;
    let start: Nanoseconds | undefined;
    let end = 0;
    for (let pass = 0; pass < (options.repeat ?? 1); pass++) {
      for (const segment of trace.segments({ columns: REPLAY_COLUMNS, arrays })) {
        if (segment.count === 0) continue;
        start ??= segment.time[0]!;
        end = Math.max(end, segment.time[segment.count - 1]! + shift);
        const finds = lanes.play(segment, shift);
        // seen where it is awaited
        finds.catch(() => undefined);
        waiting.push({ segment, shift, finds });
        if (waiting.length >= WINDOW) await step();
        if (signal.aborted) return { aborted: true };
      }
      shift = end - (start ?? 0) + GAP_NS;
    }
    while (waiting.length > 0) await step();
    const totals = player.totals();
    const counts = joinCounts(hardware, await lanes.finish(end), next.counts());
    if (typeof counts === 'string') return { refused: counts };
    const durationNs = Math.max(0, end - (start ?? 0));
    const wallNs = clock() - began;
    const played = {
      trace,
      derived,
      profile: hardware,
      player,
      series: series.finish(totals),
      events,
      durationNs,
      wallNs,
    };
    return { result: replayResult(played, counts, options) };
  } catch (error) {
    if (isNotForKernel(error)) return { refused: (error as Error).message };
    throw error;
  } finally {
    await lanes.stop();
  }
}
