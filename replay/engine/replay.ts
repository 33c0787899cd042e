import { VTD_TYPE, VTD_TYPE_NAMES, vtdType } from '../../traces/dialects/vtd-fields.ts';
import { ATTACH, DIALECT, INV_FORM, ORIGIN, OUTCOME, RESET, STREAM_ID } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import type { Machine, MachineCounts } from '../model/machine.ts';
import { createMachine } from '../model/vtd-machine.ts';
import type { ReplayResult } from '../results.ts';
import { SeriesBuilder } from './time-series.ts';
import type { SeriesTotals } from './time-series.ts';

export interface ReplayOptions {
  /** Default: `auto` by the trace's header. */
  readonly hardware?: HardwareProfile;
  /** Plays the trace so often, one after the other in time. Default 1. */
  readonly repeat?: number;
  /** Nanoseconds of any steady clock, for `wallNs`. Without it wall time is 0. */
  readonly clock?: () => number;
  /** Told after each segment how many events are done. */
  readonly progress?: (events: number) => void;
  /** Asked after each segment; true ends the replay early, with a caveat. */
  readonly stop?: () => boolean;
}

/** What a recorded replay reads; everything else in the trace stays undecoded. */
export const REPLAY_COLUMNS = {
  map: ['origin', 'domain', 'device', 'iova', 'phys', 'size', 'prot'],
  unmap: ['origin', 'domain', 'device', 'iova', 'size'],
  attach: ['kind', 'device', 'pasid', 'domain'],
  inv: ['dialect', 'form', 'w0', 'w1'],
  dma: ['rid', 'pasid', 'domain', 'iova', 'outcome', 'access', 'pageShift'],
  fault: ['rid'],
} as const;

/** What a player counted beside its machine. */
export interface PlayCounts {
  commands: number;
  readonly byType: Int32Array;
  syncs: number;
  doorbells: number;
  resets: number;
  faults: number;
  bypassed: number;
  accesses: number;
  maps: number;
  unmaps: number;
  /** Maps and unmaps whose domain is not known: they are in no page table. */
  unattributed: number;
  foreign: number;
}

/**
 * Drives a machine with a trace as it was recorded: recorded mappings, commands and accesses, one call per segment. `shift` is
 * added to all times. Recorded hits and outputs are not looked at.
 */
export function createPlayer(machine: Machine, series: SeriesBuilder): Player {
  const byType = new Int32Array(VTD_TYPE_NAMES.length);
  const counts: PlayCounts = {
    commands: 0,
    byType,
    syncs: 0,
    doorbells: 0,
    resets: 0,
    faults: 0,
    bypassed: 0,
    accesses: 0,
    maps: 0,
    unmaps: 0,
    unattributed: 0,
    foreign: 0,
  };
  // requesters whose domain attach events tell: the domain column of their accesses is not needed
  const attached = new Uint8Array(0x10000);
  const row = new Int32Array(32);
  let syncs = 0;
  let commands = 0;

  const totals = (): SeriesTotals => {
    const peakExposed = machine.takePeakExposed();
    return { commands, syncs, lookups: machine.lookups, hits: machine.hits, peakExposed };
  };

  const attach = (columns: Segment['rows']['attach']['columns'], r: number): void => {
    const kind = columns.kind[r]!;
    const device = columns.device[r]!;
    const domain = columns.domain[r]!;
    if ((kind !== ATTACH.attach && kind !== ATTACH.tagAssign) || device === ABSENT || domain < 0) return;
    // PASID 0 of a cache tag stands for requests without PASID (IOMMU_NO_PASID)
    const pasid = columns.pasid[r]! > 0 ? columns.pasid[r]! : ABSENT;
    machine.attach(device, pasid, domain);
    if (pasid === ABSENT && device >>> 16 === 0) attached[device] = 1;
  };

  const inv = (columns: Segment['rows']['inv']['columns'], r: number, time: Nanoseconds): void => {
    const form = columns.form[r]!;
    const w0Lo = columns.w0Lo[r]!;
    if (form === INV_FORM.doorbell) counts.doorbells++;
    else if (form === INV_FORM.reset) {
      if (w0Lo !== RESET.queueSetup) {
        counts.resets++;
        machine.reset(time);
      }
    } else if (columns.dialect[r] !== DIALECT.vtd) counts.foreign++;
    else {
      const type = vtdType(w0Lo);
      if (type === VTD_TYPE.wait) syncs++;
      else {
        commands++;
        byType[type]!++;
        machine.command(time, w0Lo, columns.w0Hi[r]!, columns.w1Lo[r]!, columns.w1Hi[r]!);
      }
    }
  };

  const domainOf = (domain: number, device: number): number => {
    return domain !== ABSENT || device === ABSENT ? domain : machine.domainOf(device, ABSENT);
  };

  const play = (segment: Segment, shift: Nanoseconds): void => {
    const { stream, time, count, rows } = segment;
    const dma = rows.dma.columns;
    const map = rows.map.columns;
    const unmap = rows.unmap.columns;
    const attaches = rows.attach.columns;
    const commandsOf = rows.inv.columns;
    const first = segment.firstEvent;
    row.fill(0);
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      const r = row[id]!;
      row[id] = r + 1;
      const at = time[i]! + shift;
      if (at >= series.binEnd) series.advance(at, totals());
      switch (id) {
        case STREAM_ID.dma: {
          const outcome = dma.outcome[r]!;
          if ((outcome & (OUTCOME.bypass | OUTCOME.fault)) !== 0) {
            if ((outcome & OUTCOME.fault) !== 0) counts.faults++;
            else counts.bypassed++;
            break;
          }
          counts.accesses++;
          const rid = dma.rid[r]!;
          const pasid = dma.pasid[r]!;
          const known = pasid < 0 && rid >>> 16 === 0 && attached[rid] !== 0;
          machine.access(
            at,
            rid,
            pasid,
            known ? ABSENT : dma.domain[r]!,
            dma.iovaLo[r]!,
            dma.iovaHi[r]!,
            dma.access[r]!,
            dma.pageShift[r]!,
          );
          break;
        }
        case STREAM_ID.inv:
          inv(commandsOf, r, at);
          break;
        case STREAM_ID.map: {
          if (!changesTables(map.origin[r]!)) break;
          counts.maps++;
          const domain = domainOf(map.domain[r]!, map.device[r]!);
          if (domain < 0) counts.unattributed++;
          else {
            machine.map(
              at,
              domain,
              map.iovaLo[r]!,
              map.iovaHi[r]!,
              map.physLo[r]!,
              map.physHi[r]!,
              map.sizeLo[r]!,
              map.sizeHi[r]!,
              map.prot[r]!,
            );
          }
          break;
        }
        case STREAM_ID.unmap: {
          if (!changesTables(unmap.origin[r]!)) break;
          counts.unmaps++;
          const domain = domainOf(unmap.domain[r]!, unmap.device[r]!);
          if (domain < 0) counts.unattributed++;
          else {
            machine.unmap(
              at,
              domain,
              unmap.iovaLo[r]!,
              unmap.iovaHi[r]!,
              unmap.sizeLo[r]!,
              unmap.sizeHi[r]!,
              first + i,
            );
          }
          break;
        }
        case STREAM_ID.attach:
          attach(attaches, r);
          break;
        case STREAM_ID.fault:
          counts.faults++;
          break;
        default:
      }
    }
    counts.commands = commands;
    counts.syncs = syncs;
  };
  return { counts, play, totals };
}

export interface Player {
  readonly counts: PlayCounts;
  play(segment: Segment, shift: Nanoseconds): void;
  totals(): SeriesTotals;
}

/**
 * Maps and unmaps that write page tables. The DMA API, VFIO and IOMMUFD make theirs through the IOMMU core, which the trace
 * has as events of its own.
 */
export function changesTables(origin: number): boolean {
  return origin === ORIGIN.iommu || origin === ORIGIN.virtio;
}

/** Replays a trace as recorded, segment by segment, in memory that does not grow with its length. */
export function replayTrace(trace: Trace, options: ReplayOptions = {}): ReplayResult {
  const profile = options.hardware ?? hardwareProfile('auto', trace.header);
  const machine = createMachine(profile, { unmappedAccess: 'fill' });
  const series = new SeriesBuilder();
  const player = createPlayer(machine, series);
  const repeat = options.repeat ?? 1;
  const clock = options.clock ?? ((): number => 0);
  const began = clock();
  let events = 0;
  let shift = 0;
  let start = 0;
  let end = 0;
  let stopped = false;
  for (let pass = 0; pass < repeat && !stopped; pass++) {
    let last = 0;
    for (const segment of trace.segments({ columns: REPLAY_COLUMNS })) {
      if (segment.count === 0) continue;
      if (events === 0) start = segment.time[0]!;
      player.play(segment, shift);
      events += segment.count;
      last = segment.time[segment.count - 1]!;
      options.progress?.(events);
      stopped = options.stop?.() === true;
      if (stopped) break;
    }
    end = Math.max(end, last + shift);
    shift = end - start + 1000;
  }
  const totals = player.totals();
  const counts = machine.finish(end);
  const wallNs = clock() - began;
  return {
    ...figures(player.counts, counts),
    hardware: profile.name,
    events,
    durationNs: Math.max(0, end - start),
    series: series.finish(totals),
    parameters: profile.parameters,
    caveats: caveats(trace, player.counts, counts, stopped),
    wallNs,
    eventsPerSecond: wallNs > 0 ? Math.round((events / wallNs) * 1e9) : 0,
  };
}

type Figures = Omit<
  ReplayResult,
  'hardware' | 'events' | 'durationNs' | 'series' | 'parameters' | 'caveats' | 'wallNs' | 'eventsPerSecond'
>;

/** The counts of a replay; what the trace could not tell is null, never 0. */
function figures(played: PlayCounts, counts: MachineCounts): Figures {
  const accesses = played.accesses > 0;
  const truth = accesses && played.maps + played.unmaps > played.unattributed;
  const commandsByType: Record<string, number> = {};
  played.byType.forEach((count, type) => {
    if (count > 0) commandsByType[VTD_TYPE_NAMES[type] ?? 'undefined'] = count;
  });
  return {
    iotlb: accesses ? counts.iotlb : null,
    walks: accesses ? counts.walks : null,
    walkReads: accesses ? counts.walkReads : null,
    faults: played.faults + counts.faults,
    commands: played.commands,
    commandsByType,
    syncs: played.syncs,
    doorbells: played.doorbells,
    exposure: truth ? counts.exposure : null,
    stale: truth ? counts.stale : null,
    wasted: accesses ? counts.wasted : null,
  };
}

function caveats(trace: Trace, played: PlayCounts, counts: MachineCounts, stopped: boolean): string[] {
  const list: string[] = [];
  if (stopped) list.push('interrupted: the figures are those of a part of the trace');
  if (played.accesses === 0) {
    list.push(
      'the trace has no accesses: hits, exposure, stale and wasted are unknown; join it with the log of the DMA side',
    );
  } else if (played.maps + played.unmaps === 0) {
    list.push('the trace has no maps: exposure and stale are unknown; join it with the trace of the kernel that maps');
  }
  if (played.unattributed > 0) {
    const all = played.maps + played.unmaps;
    list.push(
      `${played.unattributed} of ${all} maps and unmaps have no domain and are left out: exposure is a lower bound`,
    );
  }
  if (played.commands > 0 && played.syncs === 0) list.push('the source does not show waits: syncs are unknown');
  if (played.foreign > 0)
    list.push(`${played.foreign} commands of a dialect that the model does not know were not applied`);
  if (played.bypassed > 0) list.push(`${played.bypassed} accesses were passed through untranslated and are no lookups`);
  if (counts.malformed > 0) list.push(`${counts.malformed} commands could not be read and dropped nothing`);
  if (counts.unbacked > 0) {
    list.push(`${counts.unbacked} accesses found no mapping at their time although the source translated them`);
  }
  if (counts.historyFull) list.push('too many distinct pages to remember: some repeated misses count as compulsory');
  const { lost } = trace.health;
  if (lost > 0) list.push(`${lost} events were lost while recording: counts are lower bounds`);
  return list;
}
