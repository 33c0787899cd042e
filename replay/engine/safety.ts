import {
  ATTACH,
  DERIVED_DEVICE,
  DIALECT,
  INV_FORM,
  OUTCOME,
  RESET,
  STREAM_ID,
  STREAM_NAMES,
} from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import { SCOPE, EVERY_PAGE, commandScope, readScope } from '../model/command-scope.ts';
import { DROP } from '../model/iotlb.ts';
import { ACCESS_RESULT } from '../model/machine.ts';
import type { Machine, StaleFinding } from '../model/machine.ts';
import { createMachine } from '../model/create-machine.ts';
import type { Exposure, StaleCounts } from '../results.ts';
import { submitter } from '../designs/gather.ts';
import { CONTROL_COLUMNS, createControls } from './controls.ts';
import type { Controls } from './controls.ts';
import { derivationCaveats, deriveIntents } from './derived-trace.ts';
import type { DerivedSegment } from './derived-trace.ts';
import { GuestDeviceTlbs } from './guest-device-tlbs.ts';
import { changesTables } from './table-changes.ts';
import { UnmapLedger } from './unmap-ledger.ts';
import type { UnflushedCounts } from './unmap-ledger.ts';
import { FindingList } from './safety-findings.ts';
import type { SafetyFinding } from './safety-findings.ts';

/** What `iorr analyze safety` answers. Names are those of design.md 5. */
export interface SafetyResult {
  readonly hardware: string;
  readonly events: number;
  readonly durationNs: Nanoseconds;
  /** Pages cached while unmapped; null where the trace has no accesses or no maps. */
  readonly exposure: Exposure | null;
  /** The same in the caches of devices with ATS; null where the profile has none. */
  readonly deviceExposure: Exposure | null;
  readonly stale: StaleCounts | null;
  /** From each unmap to the command that covers it, cached or not, for IOTLBs; null without commands. */
  readonly unflushed: UnflushedCounts | null;
  /** The same for device TLBs; null where no device has one. */
  readonly unflushedDevices: UnflushedCounts | null;
  readonly commands: { readonly iotlb: number; readonly deviceTlb: number; readonly waits: number };
  /** Device-TLB commands for each IOTLB command; null without IOTLB commands. */
  readonly deviceTlbPerIotlb: number | null;
  /** Commands that dropped nothing; null without accesses. */
  readonly wasted: number | null;
  /** Commands that named no page that waited for one. */
  readonly redundant: number;
  /** Commands by address that named more than what waited, and the bytes beyond it. */
  readonly overWide: number;
  readonly overWideBytes: number;
  /** Commands that named whole domains or everything. */
  readonly domainWide: number;
  /** Translations that commands dropped although they were still mapped; null without accesses. */
  readonly collateral: number | null;
  readonly findingsByKind: { readonly [kind: string]: number };
  /** The first 100 of each kind, in order of events. */
  readonly findings: readonly SafetyFinding[];
  readonly caveats: readonly string[];
}

export interface SafetyOptions {
  /** Default: `auto` by the trace's header. */
  readonly hardware?: HardwareProfile;
  /** Driver under VFIO devices by whose rules ioctls are carried out, of a trace that has nothing else. */
  readonly driver?: string;
}

const COLUMNS = {
  map: CONTROL_COLUMNS.map,
  unmap: CONTROL_COLUMNS.unmap,
  attach: 'all',
  inv: ['unit', 'dialect', 'form', 'w0', 'w1', 'w2', 'w3'],
  dma: ['rid', 'pasid', 'domain', 'iova', 'outcome', 'access', 'pageShift'],
} as const;

/**
 * Plays a trace as recorded beside two oracles: the page tables, which tell what is cached and should not be, and the ledger of
 * unmaps, which tells what no command has named.
 */
export function analyzeSafety(recording: Trace, options: SafetyOptions = {}): SafetyResult {
  const derived = deriveIntents(recording, options.driver);
  const trace = derived ?? recording;
  const profile = options.hardware ?? hardwareProfile('auto', trace.header);
  const ofGuests = derived !== undefined && derived.derivation.commands > 0;
  const run = new SafetyRun(profile, ofGuests, judgesUnmaps(trace, profile) && derived === undefined);
  for (const segment of trace.segments({ columns: COLUMNS, reuse: true })) run.segment(segment);
  return run.finish(trace, derived === undefined ? [] : derivationCaveats(derived));
}

/** On virtio-iommu an unmap is a request, and needs no command after it: what counts there is the order of requests. */
function judgesUnmaps({ streamCounts }: Trace, { architecture }: HardwareProfile): boolean {
  return streamCounts.inv > 0 && architecture !== 'virtio';
}

class SafetyRun {
  readonly #profile: HardwareProfile;
  readonly #machine: Machine;
  readonly #controls: Controls;
  readonly #findings = new FindingList();
  readonly #ledger = new UnmapLedger(this.#findings);
  /** Commands are those that user space asked for, and no others: unmaps are flushed by commands that nobody saw. */
  readonly #ofGuests: boolean;
  /** The recording shows the commands that unmaps make the driver send. */
  readonly #judgesUnmaps: boolean;
  readonly #guests = new GuestDeviceTlbs(this.#findings);
  readonly #scope = commandScope();
  readonly #row = new Int32Array(STREAM_NAMES.length);
  readonly #commands = { iotlb: 0, deviceTlb: 0, waits: 0 };
  /** Events of accesses that were served stale, in the order of the machine's findings. */
  readonly #staleEvents: number[] = [];
  #accesses = 0;
  #overWide = 0;
  #overWideBytes = 0;
  #domainWide = 0;
  #redundant = 0;
  #collateral = 0;
  #dropped = 0;
  #first: Nanoseconds = -1;
  #last: Nanoseconds = 0;
  #events = 0;

  constructor(profile: HardwareProfile, ofGuests: boolean, judgesUnmaps: boolean) {
    this.#profile = profile;
    this.#ofGuests = ofGuests;
    this.#judgesUnmaps = judgesUnmaps;
    this.#machine = createMachine(profile, {
      unmappedAccess: 'fill',
      onDrop: (slot, why, cache) => {
        if (why !== DROP.command) return;
        this.#dropped++;
        if (cache.entries.suspect[slot] === 0) this.#collateral++;
      },
    });
    this.#controls = createControls(this.#machine);
  }

  segment({ stream, time, count, rows, firstEvent, cpu, task, origins }: Segment & Partial<DerivedSegment>): void {
    const row = this.#row.fill(0);
    const { clock } = this.#machine;
    this.#events += count;
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      const r = row[id]!;
      row[id] = r + 1;
      if (this.#first < 0) this.#first = time[i]!;
      if (time[i]! > clock[0]!) clock[0] = time[i]!;
      const event = firstEvent + i;
      switch (id) {
        case STREAM_ID.dma:
          this.#access(rows.dma.columns, r, event);
          break;
        case STREAM_ID.inv:
          if (this.#ofGuests) this.#guestCommand(rows.inv.columns, r, origins === undefined ? event : origins[i]!);
          else this.#command(rows.inv.columns, r, event, submitter(cpu[i]!, task[i]!));
          break;
        case STREAM_ID.map:
          this.#map(rows.map.columns, r, event);
          break;
        case STREAM_ID.unmap:
          this.#unmap(rows.unmap.columns, r, event, submitter(cpu[i]!, task[i]!));
          break;
        case STREAM_ID.attach:
          this.#attach(rows.attach.columns, r, origins === undefined ? event : origins[i]!);
          break;
        default:
      }
    }
    this.#last = clock[0]!;
  }

  #access(dma: Columns<'dma'>, r: number, event: number): void {
    const outcome = dma.outcome[r]!;
    if ((outcome & (OUTCOME.bypass | OUTCOME.fault)) !== 0) return;
    this.#accesses++;
    const rid = dma.rid[r]!;
    const pasid = dma.pasid[r]!;
    const known = pasid < 0 && rid >>> 16 === 0 && this.#controls.attached[rid] !== 0;
    const domain = known ? ABSENT : dma.domain[r]!;
    const { access, pageShift, iovaLo, iovaHi } = dma;
    const result = this.#machine.accessNow(rid, pasid, domain, iovaLo[r]!, iovaHi[r]!, access[r]!, pageShift[r]!);
    if ((result & ACCESS_RESULT.stale) !== 0) this.#staleEvents.push(event);
  }

  #map(map: Columns<'map'>, r: number, event: number): void {
    this.#controls.map(map, r);
    if (!this.#judgesUnmaps || !changesTables(map.origin[r]!, map.domain[r]!)) return;
    const domain = this.#domain(map.domain[r]!, map.device[r]!);
    if (domain < 0) return;
    const first = (map.iovaHi[r]! >>> 0) * 0x100000 + (map.iovaLo[r]! >>> 12);
    this.#ledger.map(domain, first, lastPage(first, map.iovaLo[r]!, map.sizeLo[r]!, map.sizeHi[r]!), event, this.#now);
  }

  #unmap(unmap: Columns<'unmap'>, r: number, event: number, key: number): void {
    this.#controls.unmap(unmap, r, event);
    if (!this.#judgesUnmaps || !changesTables(unmap.origin[r]!, unmap.domain[r]!)) return;
    const domain = this.#domain(unmap.domain[r]!, unmap.device[r]!);
    if (domain < 0) return;
    const first = (unmap.iovaHi[r]! >>> 0) * 0x100000 + (unmap.iovaLo[r]! >>> 12);
    const last = lastPage(first, unmap.iovaLo[r]!, unmap.sizeLo[r]!, unmap.sizeHi[r]!);
    if (last >= first) this.#ledger.unmap(domain, first, last, this.#now, event, key);
  }

  #attach(attach: Columns<'attach'>, r: number, event: number): void {
    this.#controls.attach(attach, r);
    const kind = attach.kind[r]!;
    if (attach.device[r]! >= DERIVED_DEVICE) {
      this.#guests.attach(attach, r, event, this.#now);
      if (kind !== ATTACH.attach) return;
    }
    const domain = attach.domain[r]!;
    if (domain < 0) {
      if (kind === ATTACH.attach || kind === ATTACH.detach) this.#ledger.leave(attach.device[r]!);
      return;
    }
    if (kind === ATTACH.tagAssign) this.#ledger.tag(domain, attach.type[r]!, attach.unit[r]!, attach.device[r]!);
    else if (kind === ATTACH.tagUnassign) {
      this.#ledger.untag(domain, attach.type[r]!, attach.unit[r]!, attach.device[r]!);
    } else if (kind === ATTACH.attach) this.#ledger.attach(domain, attach.device[r]!);
  }

  #command(inv: Columns<'inv'>, r: number, event: number, key: number): void {
    const form = inv.form[r]!;
    if (form === INV_FORM.doorbell) return;
    if (form === INV_FORM.reset) {
      this.#controls.inv(inv, r);
      if (inv.w0Lo[r] !== RESET.queueSetup) this.#ledger.reset(this.#now, event, key);
      return;
    }
    const scope = this.#scope;
    const dialect = inv.dialect[r]!;
    readScope(scope, dialect, inv.w0Lo[r]!, inv.w0Hi[r]!, inv.w1Lo[r]!, inv.w1Hi[r]!, inv.w2Lo[r]!, inv.w2Hi[r]!);
    this.#dropped = 0;
    this.#controls.inv(inv, r);
    if (scope.kind === SCOPE.none) return;
    if (scope.kind === SCOPE.wait) {
      this.#commands.waits++;
      this.#ledger.wait(key);
      return;
    }
    if (scope.kind === SCOPE.iotlb) this.#commands.iotlb++;
    else this.#commands.deviceTlb++;
    if (!this.#judgesUnmaps) return;
    const covered = this.#ledger.cover(scope, inv.unit[r]!, this.#now, event, key);
    if (scope.last === EVERY_PAGE && scope.first === 0) this.#domainWide++;
    else if (covered.pages < scope.last - scope.first + 1) {
      this.#overWide++;
      this.#overWideBytes += (scope.last - scope.first + 1 - covered.pages) * 4096;
    }
    if (covered.pages === 0 && !(dialect === DIALECT.amd && form === INV_FORM.decoded)) {
      this.#redundant++;
      if (this.#dropped === 0)
        this.#findings.add('redundant', event, -1, 0, 'names no page that waited, drops nothing');
    }
  }

  /** A command of a list that user space gave: it says nothing about the unmaps that the kernel flushes itself. */
  #guestCommand(inv: Columns<'inv'>, r: number, event: number): void {
    const scope = this.#scope;
    const dialect = inv.dialect[r]!;
    const w0Lo = inv.w0Lo[r]!;
    const w0Hi = inv.w0Hi[r]!;
    readScope(scope, dialect, w0Lo, w0Hi, inv.w1Lo[r]!, inv.w1Hi[r]!, inv.w2Lo[r]!, inv.w2Hi[r]!);
    this.#dropped = 0;
    this.#controls.inv(inv, r);
    if (scope.kind === SCOPE.wait) this.#commands.waits++;
    else if (scope.kind === SCOPE.iotlb) this.#commands.iotlb++;
    else if (scope.kind === SCOPE.deviceTlb) this.#commands.deviceTlb++;
    if (scope.kind !== SCOPE.wait && scope.kind !== SCOPE.none && scope.first === 0 && scope.last === EVERY_PAGE) {
      this.#domainWide++;
    }
    this.#guests.command(dialect, scope, w0Lo, w0Hi, event, this.#now);
  }

  finish(trace: Trace, derivation: readonly string[]): SafetyResult {
    this.#ledger.finish(this.#now, Math.max(0, this.#events - 1));
    this.#guests.finish(this.#events, this.#now);
    const counts = this.#machine.finish(this.#last);
    const controls = this.#controls.counts;
    const accesses = this.#accesses > 0;
    const truth = accesses && controls.maps + controls.unmaps > controls.unattributed;
    if (truth) this.#reportStale(counts.staleFindings);
    const { iotlb, deviceTlb } = this.#commands;
    const none = iotlb + deviceTlb === 0;
    const { findings, byKind } = this.#findings.result();
    return {
      hardware: this.#profile.name,
      events: this.#events,
      durationNs: Math.max(0, this.#last - Math.max(0, this.#first)),
      exposure: truth ? counts.exposure : null,
      deviceExposure: truth ? (counts.deviceExposure ?? null) : null,
      stale: truth ? counts.stale : null,
      unflushed: none || controls.unmaps === 0 || !this.#judgesUnmaps ? null : this.#ledger.iotlbCounts(),
      unflushedDevices: this.#ledger.deviceCounts(),
      commands: this.#commands,
      deviceTlbPerIotlb: iotlb === 0 ? null : deviceTlb / iotlb,
      wasted: accesses ? counts.wasted : null,
      redundant: this.#redundant,
      overWide: this.#overWide,
      overWideBytes: this.#overWideBytes,
      domainWide: this.#domainWide,
      collateral: accesses ? this.#collateral : null,
      findingsByKind: byKind,
      findings,
      caveats: [...derivation, ...this.#caveats(trace, accesses)],
    };
  }

  #reportStale(stale: readonly StaleFinding[]): void {
    stale.forEach(({ ageNs, unmapEvent, cache }, i) => {
      this.#findings.add(
        'stale',
        this.#staleEvents[i] ?? -1,
        unmapEvent,
        ageNs,
        `served by the ${cache} from a page that was unmapped`,
      );
    });
    const more = this.#staleEvents.length - stale.length;
    if (more > 0) this.#findings.count('stale', more);
  }

  #caveats(trace: Trace, accesses: boolean): string[] {
    const { maps, unmaps, unattributed, foreign } = this.#controls.counts;
    const list: string[] = [];
    if (!accesses) list.push('no accesses: what was cached is unknown, so exposure, stale and wasted are too');
    if (unmaps === 0 && !this.#ofGuests) list.push('no unmaps: nothing can be stale');
    if (this.#ofGuests) list.push(...this.#guestCaveats());
    if (this.#profile.architecture === 'virtio') {
      list.push('virtio-iommu unmaps by requests, which need no command: their order is what verify --only inv checks');
    } else if (this.#commands.iotlb === 0) {
      list.push('no commands: whether unmaps were followed by one is unknown');
    }
    if (unattributed > 0) list.push(`${unattributed} of ${maps + unmaps} maps and unmaps have no domain: not judged`);
    if (foreign > 0) list.push(`${foreign} commands of a dialect that ${this.#profile.name} does not take`);
    if (this.#ledger.givenUp > 0) list.push(`${this.#ledger.givenUp} unmaps were given up: too many without a command`);
    const { lost } = trace.health;
    if (lost > 0) list.push(`${lost} events were lost while recording: what seems missing may be among them`);
    return list;
  }

  #guestCaveats(): string[] {
    const list = [
      "what guests changed in their own tables is taken from their IOTLB invalidations; findings about their devices' TLBs are at events of the recording's calls",
    ];
    const { unjudged, givenUp } = this.#guests;
    if (givenUp > 0) list.push(`${givenUp} ranges of guests were given up: too many without an ATC_INV`);
    if (unjudged > 0) {
      list.push(
        `${unjudged} IOTLB invalidations are of guests whose devices have several tables, not all of them with ATS: whether a device's TLB had to be told is unknown`,
      );
    }
    return list;
  }

  get #now(): Nanoseconds {
    return this.#machine.clock[0]!;
  }

  #domain(domain: number, device: number): number {
    return domain !== ABSENT || device === ABSENT ? domain : this.#machine.domainOf(device, ABSENT);
  }
}

function lastPage(first: number, iovaLo: number, sizeLo: number, sizeHi: number): number {
  return first + Math.ceil(((sizeHi >>> 0) * 2 ** 32 + (sizeLo >>> 0) + (iovaLo & 0xfff)) / 4096) - 1;
}
