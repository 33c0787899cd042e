import { Random } from '../../traces/random.ts';
import { OUTCOME, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import type { AccessModelFactory } from '../access/access-model.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import type { Machine, MachineCounts } from '../model/machine.ts';
import { createMachine } from '../model/create-machine.ts';
import type { CommandErrorCount, ReplayResult, TimeSeries } from '../results.ts';
import { CONTROL_COLUMNS, createControls } from './controls.ts';
import type { ControlCounts, Controlled, Controls } from './controls.ts';
import { derivationCaveats, deriveIntents } from './derived-trace.ts';
import type { DerivedTrace } from './derived-trace.ts';
import { SeriesBuilder } from './time-series.ts';
import type { SeriesTotals } from './time-series.ts';

// as constants of the module: the loop below compares with them per event
const { dma: DMA, inv: INV, map: MAP, unmap: UNMAP, attach: ATTACH, fault: FAULT } = STREAM_ID;
const UNTRANSLATED = OUTCOME.bypass | OUTCOME.fault;

/** A tail write that no queue has, among refused commands. */
export const TAIL_BEYOND = 'tail beyond the queue';

/** Time between two passes of a repeated trace. */
export const GAP_NS = 1000;

/** An access model and the seed of its random numbers. */
export interface ModelledAccesses {
  readonly factory: AccessModelFactory;
  readonly seed: number;
}

/** How a trace is replayed; what is absent follows from the trace. */
export interface ReplayOptions {
  /** Default: `auto` by the trace's header. */
  readonly hardware?: HardwareProfile;
  /** Driver under VFIO devices by whose rules ioctls are carried out, of a trace that has nothing else. */
  readonly driver?: string;
  /** Stands in for the recorded accesses. */
  readonly accesses?: ModelledAccesses;
  /** Plays the trace so often, one after the other in time. Default 1. */
  readonly repeat?: number;
  /** Nanoseconds of any steady clock, for `wallNs`. Without it wall time is 0. */
  readonly clock?: () => number;
}

/** What a recorded replay reads; everything else in the trace stays undecoded. */
export const REPLAY_COLUMNS = {
  ...CONTROL_COLUMNS,
  dma: ['rid', 'pasid', 'domain', 'iova', 'outcome', 'access', 'pageShift'],
} as const;

/** What was counted of accesses, beside the machine's own counts. */
export interface AccessCounts {
  /** Lookups, recorded or made by an access model. */
  accesses: number;
  faults: number;
  bypassed: number;
}

/**
 * Drives a machine with a trace as it was recorded: recorded mappings, commands and accesses, one call of `play` per segment.
 * Recorded hits and outputs are not looked at.
 */
export interface Player {
  readonly controls: Controls;
  readonly counts: AccessCounts;
  /** `shift` is added to all times. */
  play(segment: Segment, shift: Nanoseconds): void;
  totals(): SeriesTotals;
}

/** What a player drives. */
export type Played = Controlled & Pick<Machine, 'access' | 'accessNow' | 'lookups' | 'hits' | 'takePeakExposed'>;

/** With `accesses`, a factory's model stands in for the recorded accesses, which are then not played. */
export function createPlayer(machine: Played, series: SeriesBuilder, model?: ModelledAccesses): Player {
  const counts: AccessCounts = { accesses: 0, faults: 0, bypassed: 0 };
  const modelled = model?.factory.create((time, rid, domain, page, access) => {
    counts.accesses++;
    machine.access(time, rid, ABSENT, domain, (page % 0x100000) << 12, Math.floor(page / 0x100000) | 0, access, 0);
  }, new Random(model.seed));
  const recorded = modelled === undefined;
  const controls = createControls(machine, modelled);
  const { attached } = controls;
  const row = new Int32Array(STREAM_NAMES.length);
  const { accessNow, clock } = machine;

  const totals = (): SeriesTotals => {
    const { commands, syncs } = controls.counts;
    const peakExposed = machine.takePeakExposed();
    return { commands, syncs, lookups: machine.lookups, hits: machine.hits, peakExposed };
  };

  const play = (segment: Segment, shift: Nanoseconds): void => {
    const { stream, time, count, rows, firstEvent } = segment;
    const { rid: rids, pasid: pasids, domain: domains, iovaLo, iovaHi, outcome: outcomes } = rows.dma.columns;
    const { access, pageShift } = rows.dma.columns;
    let { binEnd } = series;
    let accesses = 0;
    row.fill(0);
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      let r = row[id]!;
      if (id === DMA) {
        // Accesses come in runs: within one, no other stream's row moves. Measured: 8% of a replay.
        let now = clock[0]!;
        for (;;) {
          const at = time[i]! + shift;
          if (at > now) clock[0] = now = at;
          if (at >= binEnd) {
            series.advance(at, totals());
            ({ binEnd } = series);
          }
          const outcome = outcomes[r]!;
          if ((outcome & UNTRANSLATED) !== 0) {
            if ((outcome & OUTCOME.fault) !== 0) counts.faults++;
            else counts.bypassed++;
          } else if (recorded) {
            accesses++;
            const rid = rids[r]!;
            const pasid = pasids[r]!;
            const known = pasid < 0 && rid >>> 16 === 0 && attached[rid] !== 0;
            const domain = known ? ABSENT : domains[r]!;
            accessNow(rid, pasid, domain, iovaLo[r]!, iovaHi[r]!, access[r]!, pageShift[r]!);
          }
          r++;
          if (i + 1 >= count || stream[i + 1] !== DMA) break;
          i++;
        }
        row[DMA] = r;
        continue;
      }
      row[id] = r + 1;
      const at = time[i]! + shift;
      if (at > clock[0]!) clock[0] = at;
      if (at >= binEnd) {
        series.advance(at, totals());
        ({ binEnd } = series);
      }
      switch (id) {
        case INV:
          controls.inv(rows.inv.columns, r);
          break;
        case MAP:
          controls.map(rows.map.columns, r);
          break;
        case UNMAP:
          controls.unmap(rows.unmap.columns, r, firstEvent + i);
          break;
        case ATTACH:
          controls.attach(rows.attach.columns, r);
          break;
        case FAULT:
          counts.faults++;
          break;
        default:
      }
    }
    counts.accesses += accesses;
  };
  return { controls, counts, play, totals };
}

/** Replays a trace as recorded, segment by segment, in memory that does not grow with its length. */
export function replayTrace(trace: Trace, options: ReplayOptions = {}): ReplayResult {
  const steps = replaySteps(trace, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps of a segment, for a caller that has more to do meanwhile: yields the number of events done. */
export function* replaySteps(recording: Trace, options: ReplayOptions = {}): Generator<number, ReplayResult> {
  const derived = deriveIntents(recording, options.driver);
  const trace = derived ?? recording;
  const profile = options.hardware ?? hardwareProfile('auto', trace.header);
  const machine = createMachine(profile, { unmappedAccess: options.accesses === undefined ? 'fill' : 'fault' });
  const series = new SeriesBuilder();
  const player = createPlayer(machine, series, options.accesses);
  const clock = options.clock ?? ((): number => 0);
  const began = clock();
  let events = 0;
  let shift = 0;
  let start = 0;
  let end = 0;
  for (let pass = 0; pass < (options.repeat ?? 1); pass++) {
    for (const segment of trace.segments({ columns: REPLAY_COLUMNS, reuse: true })) {
      if (segment.count === 0) continue;
      if (events === 0) start = segment.time[0]!;
      player.play(segment, shift);
      events += segment.count;
      end = Math.max(end, segment.time[segment.count - 1]! + shift);
      yield events;
    }
    shift = end - start + GAP_NS;
  }
  const totals = player.totals();
  const counts = machine.finish(end);
  const wallNs = clock() - began;
  return replayResult(
    {
      trace,
      derived,
      profile,
      player,
      series: series.finish(totals),
      events,
      durationNs: Math.max(0, end - start),
      wallNs,
    },
    counts,
    options,
  );
}

/** What was played, and how. */
export interface PlayedTrace {
  /** What was played: the recording, or what was derived from it. */
  readonly trace: Trace;
  readonly derived: DerivedTrace | undefined;
  readonly profile: HardwareProfile;
  readonly player: Player;
  readonly series: TimeSeries;
  readonly events: number;
  readonly durationNs: Nanoseconds;
  readonly wallNs: Nanoseconds;
}

/** The result of a trace that was played to its end. */
export function replayResult(played: PlayedTrace, counts: MachineCounts, options: ReplayOptions): ReplayResult {
  const { trace, derived, profile, player, series, events, durationNs, wallNs } = played;
  return {
    ...replayFigures(player, counts),
    hardware: profile.name,
    events,
    durationNs,
    series,
    parameters: profile.parameters,
    caveats: [...(derived === undefined ? [] : derivationCaveats(derived)), ...caveats(trace, player, counts, options)],
    wallNs,
    eventsPerSecond: wallNs > 0 ? Math.round((events / wallNs) * 1e9) : 0,
  };
}

type Figures = Omit<
  ReplayResult,
  'hardware' | 'events' | 'durationNs' | 'series' | 'parameters' | 'caveats' | 'wallNs' | 'eventsPerSecond'
>;

/** The counts of a replay; what the trace could not tell is null, never 0. */
export function replayFigures(player: Player, counts: MachineCounts): Figures {
  const control = player.controls.counts;
  const accesses = player.counts.accesses > 0;
  const truth = accesses && control.maps + control.unmaps > control.unattributed;
  const commandsByType: Record<string, number> = {};
  control.byType.forEach((count, type) => {
    if (count > 0) commandsByType[player.controls.typeNames[type] ?? 'undefined'] = count;
  });
  return {
    iotlb: accesses ? counts.iotlb : null,
    caches: accesses ? counts.caches : null,
    walks: accesses ? counts.walks : null,
    walkReads: accesses ? counts.walkReads : null,
    faults: player.counts.faults + counts.faults,
    commands: control.commands,
    commandsByType,
    syncs: control.syncs,
    doorbells: control.doorbells,
    commandErrors: commandErrors(control, counts),
    exposure: truth ? counts.exposure : null,
    deviceExposure: truth ? (counts.deviceExposure ?? null) : null,
    stale: truth ? counts.stale : null,
    wasted: accesses ? counts.wasted : null,
  };
}

/** Refused commands, and tail writes that no queue has. */
function commandErrors({ tailsBeyond }: ControlCounts, { errors }: MachineCounts): readonly CommandErrorCount[] {
  if (tailsBeyond === 0) return errors;
  return [...errors, { error: 'IQE', what: TAIL_BEYOND, count: tailsBeyond }];
}

function caveats(trace: Trace, player: Player, counts: MachineCounts, options: ReplayOptions): string[] {
  const { maps, unmaps, unattributed, commands, syncs, foreign } = player.controls.counts;
  const { accesses, bypassed } = player.counts;
  const list: string[] = [];
  if (options.accesses !== undefined) {
    const { factory, seed } = options.accesses;
    list.push(`accesses are those of the model '${factory.name}' (seed ${seed}): ${factory.summary}`);
  }
  if (accesses === 0) {
    list.push(
      'no accesses: hits, exposure, stale and wasted are unknown; join the log that shows DMA, or name --access',
    );
  } else if (maps + unmaps === 0) {
    list.push('no maps: exposure and stale are unknown; join the trace of the kernel that maps');
  }
  if (unattributed > 0) {
    list.push(`${unattributed} of ${maps + unmaps} maps and unmaps have no domain and are left out`);
  }
  if (commands > 0 && syncs === 0 && player.controls.waits) {
    list.push('the source does not show waits: syncs are unknown');
  }
  if (counts.deviceExposure !== undefined && accesses > 0 && options.accesses === undefined) {
    list.push(
      'recorded accesses of devices with ATS are what their own caches had not: those that are modelled hit less',
    );
  }
  if (foreign > 0) list.push(`${foreign} commands of a dialect that this hardware does not take were not applied`);
  if (bypassed > 0) list.push(`${bypassed} accesses were passed through untranslated and are no lookups`);
  for (const { error, what, count } of commandErrors(player.controls.counts, counts)) {
    list.push(`${count} commands were refused and dropped nothing, the hardware would stop there: ${error}, ${what}`);
  }
  if (counts.unbacked > 0) {
    list.push(`${counts.unbacked} accesses found no mapping at their time although the source translated them`);
  }
  if (counts.historyFull) list.push('too many distinct pages to remember: some repeated misses count as compulsory');
  const { lost } = trace.health;
  if (lost > 0) list.push(`${lost} events were lost while recording: counts are lower bounds`);
  return list;
}
