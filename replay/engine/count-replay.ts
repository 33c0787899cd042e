import type { Trace } from '../../traces/trace.ts';
import { dialectById } from '../../traces/dialects/dialects.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { EFFECTS } from '../model/effects.ts';
import type { CommandErrorCount, ProfileParameter, ReplayResult } from '../results.ts';
import { createCountingReplay } from './counting-replay.ts';
import { countingSteps } from './counting-steps.ts';
import type { StretchCounts } from './counting-stretch.ts';
import { deriveIntents } from './derived-trace.ts';
import { TAIL_BEYOND, replaySteps } from './replay.ts';

/** What a replay that only counts answers with. */
export interface CountedReplay {
  readonly hardware: string;
  readonly events: number;
  /** What played: the counting kernel, or the whole machine where the trace or the hardware is not for it. */
  readonly engine: 'kernel' | 'machine';
  /** Null where the trace has no accesses. */
  readonly iotlb: { readonly lookups: number; readonly hits: number; readonly misses: number } | null;
  /** Accesses that the source recorded as passed through or refused: no lookups. */
  readonly untranslated: number;
  readonly walks: number | null;
  /** Null where paging-structure caches, which the kernel has not, save reads. */
  readonly walkReads: number | null;
  /** Translations that commands dropped; null where the machine played. */
  readonly invalidated: number | null;
  readonly commands: number;
  readonly commandsByType: { readonly [type: string]: number };
  readonly syncs: number;
  readonly doorbells: number;
  readonly commandErrors: readonly CommandErrorCount[];
  readonly parameters: readonly ProfileParameter[];
  readonly caveats: readonly string[];
  readonly wallNs: number;
  readonly eventsPerSecond: number;
}

export interface CountOptions {
  readonly hardware: HardwareProfile;
  /** Driver under VFIO devices by whose rules ioctls are carried out, of a trace that has nothing else. */
  readonly driver?: string;
  /** Nanoseconds of any steady clock, for `wallNs`. Without it wall time is 0. */
  readonly clock?: () => number;
}

/** Counts hits and misses of a trace, as recorded, in steps of a segment: yields the number of events done. */
export function* countSteps(trace: Trace, options: CountOptions): Generator<number, CountedReplay> {
  const clock = options.clock ?? ((): number => 0);
  const began = clock();
  const counts = deriveIntents(trace, options.driver) === undefined ? yield* playKernel(trace, options) : undefined;
  if (counts !== undefined) return countedResult(trace, options, counts, clock() - began);
  const result = yield* replaySteps(trace, options);
  return fromMachine(trace, result, clock() - began);
}

function* playKernel(trace: Trace, { hardware }: CountOptions): Generator<number, StretchCounts | undefined> {
  const replay = createCountingReplay(hardware, { unmappedAccess: 'fill' });
  if (replay === undefined) return undefined;
  if (!(yield* countingSteps(trace, replay))) return undefined;
  return { ...replay.counts(), controls: replay.controls, commandErrors: replay.commandErrors(), damaged: [] };
}

/** The answer, of counts of the whole trace. */
export function countedResult(
  trace: Trace,
  { hardware }: CountOptions,
  counts: StretchCounts,
  wallNs: number,
): CountedReplay {
  const { lookups, hits, misses, walkReads, unbacked, invalidated, controls } = counts;
  const accesses = lookups > 0;
  const { typeNames } = dialectById(EFFECTS[hardware.architecture].dialect)!;
  const commandsByType: Record<string, number> = {};
  controls.byType.forEach((count, type) => {
    if (count > 0) commandsByType[typeNames[type] ?? 'undefined'] = count;
  });
  return {
    hardware: hardware.name,
    events: trace.eventCount,
    engine: 'kernel',
    iotlb: accesses ? { lookups, hits, misses } : null,
    untranslated: trace.streamCounts.dma - lookups,
    walks: accesses ? misses : null,
    walkReads: accesses ? walkReads : null,
    invalidated: accesses ? invalidated : null,
    commands: controls.commands,
    commandsByType,
    syncs: controls.syncs,
    doorbells: controls.doorbells,
    commandErrors: ordered(counts.commandErrors),
    parameters: hardware.parameters,
    caveats: caveats(trace, counts, unbacked),
    ...speed(trace.eventCount, wallNs),
  };
}

function fromMachine(trace: Trace, result: ReplayResult, wallNs: number): CountedReplay {
  const { hardware, events, iotlb, walks, walkReads, commands, commandsByType, syncs, doorbells } = result;
  return {
    hardware,
    events,
    engine: 'machine',
    iotlb: iotlb === null ? null : { lookups: iotlb.lookups, hits: iotlb.hits, misses: iotlb.misses },
    untranslated: trace.streamCounts.dma - (iotlb?.lookups ?? 0),
    walks,
    walkReads,
    invalidated: null,
    commands,
    commandsByType,
    syncs,
    doorbells,
    // tail writes are no commands: the kernel doesn't follow the queue
    commandErrors: ordered(result.commandErrors.filter(({ what }) => what !== TAIL_BEYOND)),
    parameters: result.parameters,
    caveats: result.caveats,
    ...speed(events, wallNs),
  };
}

function speed(events: number, wallNs: number): Pick<CountedReplay, 'wallNs' | 'eventsPerSecond'> {
  return { wallNs, eventsPerSecond: wallNs > 0 ? Math.round((events / wallNs) * 1e9) : 0 };
}

function ordered(errors: readonly CommandErrorCount[]): readonly CommandErrorCount[] {
  const key = ({ error, what }: CommandErrorCount): string => `${error} ${what}`;
  return errors.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

function caveats(trace: Trace, { lookups, controls }: StretchCounts, unbacked: number): string[] {
  const list: string[] = [];
  if (lookups === 0) list.push('no accesses: hits are unknown; join the log that shows DMA');
  const { unattributed, maps, unmaps, foreign } = controls;
  if (unattributed > 0) {
    list.push(`${unattributed} of ${maps + unmaps} maps and unmaps have no domain and are left out`);
  }
  if (foreign > 0) list.push(`${foreign} commands of a dialect that this hardware does not take were not applied`);
  if (unbacked > 0) {
    list.push(`${unbacked} accesses found no mapping at their time although the source translated them`);
  }
  const { lost } = trace.health;
  if (lost > 0) list.push(`${lost} events were lost while recording: counts are lower bounds`);
  return list;
}
