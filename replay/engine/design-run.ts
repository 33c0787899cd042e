import type { CommandDialect } from '../../traces/dialects/dialect.ts';
import { dialectById } from '../../traces/dialects/dialects.ts';
import { vtdDialect } from '../../traces/dialects/vtd.ts';
import { Random } from '../../traces/random.ts';
import { DIALECT, FLUSH, OUTCOME, STREAM_ID } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import { ABSENT, pageNumber } from '../../traces/units.ts';
import type { DomainId, Nanoseconds, PageNumber } from '../../traces/units.ts';
import type { AccessModel } from '../access/access-model.ts';
import { accessModel } from '../access/access-models.ts';
import { AnsweringDevices } from '../atc/answering-devices.ts';
import { atcParameter } from '../atc/atc-parameters.ts';
import type { AtcPolicy } from '../atc/atc-policy.ts';
import type { Costs } from '../costs/cost-profile.ts';
import type { Design, DesignContext, DesignFactory } from '../designs/design.ts';
import { designParameters, namedDesign } from '../designs/designs.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { ExposureTotals } from '../model/exposure.ts';
import { MAP_RESULT, UNMAP_RESULT } from '../model/machine.ts';
import type { Machine } from '../model/machine.ts';
import { createMachine } from '../model/create-machine.ts';
import type { PathRoute } from '../paths/path.ts';
import { findPath, pathParameter } from '../paths/paths.ts';
import type { DesignResult } from '../results.ts';
import { AddressReuse } from './address-reuse.ts';
import { PlacedTables } from './placed-tables.ts';
import type { ApplyCommand } from './command-queue.ts';
import type { DesignModule } from './design-modules.ts';
import { atEvent } from './guarded-design.ts';
import { RunDomains } from './run-domains.ts';
import { DeviceStalls } from '../time/device-stalls.ts';
import { Submission } from './submission.ts';
import { changesTables } from './table-changes.ts';
import { SeriesBuilder } from './time-series.ts';

/** What a comparison reads: intents, accesses, and where the recorded system flushed ranges (the callers' syncs). */
export const COMPARE_COLUMNS = {
  map: ['origin', 'domain', 'device', 'iova', 'phys', 'size', 'prot'],
  unmap: ['origin', 'domain', 'device', 'iova', 'size'],
  attach: ['kind', 'unit', 'device', 'pasid', 'domain', 'type'],
  flush: ['op', 'domain'],
  dma: ['rid', 'pasid', 'domain', 'iova', 'outcome', 'access', 'pageShift'],
} as const;

/** Plain data: it crosses to workers as it is. */
export interface RunOptions {
  readonly hardware: HardwareProfile;
  readonly costs: Costs;
  /** Changes of the remapping of interrupts that the trace shows. */
  readonly interrupts: number;
  /** `recorded` or the name of an access model. */
  readonly access: string;
  readonly seed: number;
  /** Core counts to scale the trace's submitters to. */
  readonly cores: readonly number[];
  /** What becomes of devices that do not answer. */
  readonly atcPolicy: AtcPolicy;
  readonly context: DesignContext;
  /** Domains known to be owned by user space. */
  readonly unmanaged: ReadonlySet<DomainId>;
  /** The trace shows where ranges were flushed. */
  readonly rangeFlushes: boolean;
  /** Values of design parameters that the user set. */
  readonly parameters: ReadonlyMap<string, number>;
  /** Where designs of the user's own are. */
  readonly modules: readonly DesignModule[];
}

/** What a run found out about its trace, for the caveats. The same for every design. */
export interface RunFacts {
  readonly maps: number;
  readonly unmaps: number;
  readonly unattributedMaps: number;
  readonly unattributedUnmaps: number;
  readonly accesses: number;
  readonly bypassed: number;
  readonly unmanagedUnmaps: number;
  readonly unbacked: number;
  /** Maps whose addresses the design would not have handed out yet. */
  readonly movedMaps: number;
  /** Domains without a cache tag in the trace. */
  readonly untagged: readonly DomainId[];
}

/** Low int32 word of the address of a page, or of a number of pages in bytes. */
function addressLow(page: PageNumber): number {
  return ((page % 0x100000) << 12) | 0;
}

function addressHigh(page: PageNumber): number {
  return Math.floor(page / 0x100000) | 0;
}

/** One design on one machine, driven by the intents of a trace, one call per segment. */
export class DesignRun {
  readonly name: string;
  readonly #path: string;
  readonly #route: PathRoute;
  /** Drivers flush what they map, too. */
  readonly #mapSyncs: boolean;
  readonly #options: RunOptions;
  readonly #machine: Machine;
  readonly #reuse: AddressReuse;
  readonly #dialect: CommandDialect;
  readonly #answering: AnsweringDevices;
  readonly #submission: Submission;
  readonly #stalls: DeviceStalls;
  readonly #design: Design;
  /** Of a design that places mappings itself. */
  readonly #placed: PlacedTables | undefined;
  readonly #exposure: ExposureTotals;
  readonly #model: AccessModel | undefined;
  readonly #series = new SeriesBuilder();
  readonly #domains: RunDomains;
  readonly #row = new Int32Array(32);
  readonly #apply: ApplyCommand;
  #maps = 0;
  #unmaps = 0;
  #unattributedMaps = 0;
  #unattributedUnmaps = 0;
  #unmanagedUnmaps = 0;
  #accesses = 0;
  #bypassed = 0;
  #start = 0;
  #end = 0;
  /** Of the newest event in its segment. */
  #index = 0;

  constructor(name: string, path: string, options: RunOptions, designs: readonly DesignFactory[]) {
    const named = namedDesign(name, designs);
    if (named === undefined) throw new RangeError(`no design ${name}`);
    const { design: factory, given } = named;
    this.name = name;
    this.#options = options;
    const way = findPath(path);
    this.#path = path;
    const context = way.context?.(options.context) ?? options.context;
    this.#route = way.create(pathParameter(way, options.parameters), context);
    this.#mapSyncs = context.cachingMode;
    const exposure = new ExposureTotals();
    const machine = createMachine(options.hardware, {
      exposure,
      unmappedAccess: options.access === 'recorded' ? 'fill' : 'fault',
    });
    this.#machine = machine;
    this.#reuse = new AddressReuse(parameterOf(options.hardware, 'page-table.levels'));
    this.#dialect = dialectById(context.dialect) ?? vtdDialect;
    this.#answering = new AnsweringDevices(
      options.atcPolicy,
      options.costs['queue.device-tlb'],
      atcParameter(options.parameters),
      options.seed,
    );
    this.#stalls = new DeviceStalls(options.costs['walk.read'], options.costs['device.reads']);
    this.#submission = new Submission({
      costs: options.costs,
      route: this.#route,
      reuse: this.#reuse,
      dialect: this.#dialect,
      kernel: context.kernel,
      answering: this.#answering,
      cores: options.cores,
      seed: options.seed,
    });
    this.#design = factory.create(
      this.#submission,
      context,
      designParameters(factory, new Map([...options.parameters, ...given])),
    );
    const { placement } = this.#design;
    if (placement !== undefined) this.#placed = new PlacedTables(machine, this.#reuse, placement, exposure);
    this.#exposure = exposure;
    this.#domains = new RunDomains({
      design: this.#design,
      machine,
      submission: this.#submission,
      context,
      unmanaged: options.unmanaged,
    });
    this.#apply = (time, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi) =>
      void machine.command(time, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
    if (options.access !== 'recorded') {
      this.#model = accessModel(options.access).create((time, rid, domain, page, access) => {
        if (this.#answering.cutsOff && this.#answering.isCutOff(rid)) {
          this.#answering.blockedAccesses++;
          return;
        }
        this.#accesses++;
        const place = this.#reuse.page(domain, page);
        this.#placed?.accessed(time, domain, place);
        const before = machine.walkReads;
        machine.access(time, rid, ABSENT, domain, addressLow(place), addressHigh(place), access, 0);
        this.#stalls.request(time, rid, domain, place, machine.walkReads - before);
      }, new Random(options.seed));
    }
  }

  segment(segment: Segment): void {
    try {
      this.#events(segment);
    } catch (error) {
      throw atEvent(error, segment.firstEvent + this.#index);
    }
  }

  #events(segment: Segment): void {
    const { stream, time, cpu, task, count, rows, firstEvent } = segment;
    if (count > 0 && this.#end === 0) this.#start = time[0]!; // there is one
    const row = this.#row.fill(0);
    for (let i = 0; i < count; i++) {
      const id = stream[i]!; // i is in range, here and below
      const r = row[id]!;
      row[id] = r + 1;
      const at = time[i]!;
      this.#index = i;
      this.#advance(at);
      switch (id) {
        case STREAM_ID.dma:
          if (this.#model === undefined) this.#dma(rows.dma.columns, r, at);
          break;
        case STREAM_ID.map:
          this.#map(rows.map.columns, r, at, cpu[i]!, task[i]!);
          break;
        case STREAM_ID.unmap:
          this.#unmap(rows.unmap.columns, r, at, cpu[i]!, task[i]!, firstEvent + i);
          break;
        case STREAM_ID.attach:
          this.#domains.attach(rows.attach.columns, r, at, cpu[i]!, task[i]!);
          break;
        case STREAM_ID.flush: {
          const domain = rows.flush.columns.domain[r]!;
          if (rows.flush.columns.op[r] !== FLUSH.range || !this.#domains.isUnmanaged(domain)) break;
          this.#submission.from(cpu[i]!, at);
          this.#design.sync(domain, cpu[i]!, task[i]!, at);
          break;
        }
        default:
      }
    }
  }

  /** Call once, last. */
  finish(): { readonly result: DesignResult; readonly facts: RunFacts } {
    const submission = this.#submission;
    for (let i = 0; i < this.#options.interrupts; i++) submission.take(this.#route.interrupt);
    const time = submission.finish(this.#stalls, this.#start, this.#end);
    const scaling = submission.scaling();
    const totals = this.#totals();
    const placed = this.#placed;
    if (placed !== undefined) this.#exposure.unmappedPages = placed.unmappedPages;
    const kept = placed?.finish(this.#end);
    const counts = this.#machine.finish(this.#end);
    const accesses = this.#accesses > 0;
    const truth = accesses && this.#unmaps > 0;
    const commandsByType: { [type: string]: number } = {};
    submission.byType.forEach((n, type) => {
      if (n > 0) commandsByType[this.#dialect.typeNames[type] ?? 'undefined'] = n;
    });
    const result: DesignResult = {
      name: this.name,
      path: this.#path,
      unmaps: this.#unmaps,
      commands: submission.commands,
      commandsByType,
      syncs: submission.syncs,
      doorbells: submission.doorbells,
      exits: submission.exits,
      ioctls: submission.ioctls,
      lists:
        submission.lists === undefined
          ? null
          : { refused: submission.lists.refused, unissued: submission.lists.unissued },
      atc: this.#answering.counts(this.#unmaps),
      cpuNs: Math.round(submission.cpuNs),
      stallNs: accesses ? this.#stalls.stallNs : null,
      time,
      ...(scaling === undefined ? {} : { scaling }),
      iotlb: accesses ? counts.iotlb : null,
      ...(accesses ? { caches: counts.caches, walkReads: counts.walkReads } : {}),
      exposure: truth ? counts.exposure : null,
      stale: truth ? (kept?.stale(counts.stale) ?? counts.stale) : null,
      wasted: accesses ? counts.wasted : null,
      ...(kept === undefined ? {} : { overMapped: kept.overMapped }),
      ...(counts.errors.length === 0 ? {} : { commandErrors: counts.errors }),
      series: this.#series.finish(totals),
    };
    const facts: RunFacts = {
      maps: this.#maps,
      unmaps: this.#unmaps,
      unattributedMaps: this.#unattributedMaps,
      unattributedUnmaps: this.#unattributedUnmaps,
      accesses: this.#accesses,
      bypassed: this.#bypassed,
      unmanagedUnmaps: this.#unmanagedUnmaps,
      unbacked: counts.unbacked,
      movedMaps: this.#reuse.movedMaps,
      untagged: this.#domains.untagged(),
    };
    return { result, facts };
  }

  /** Brings commands and timers up to a time, in their order. */
  #advance(time: Nanoseconds): void {
    const submission = this.#submission;
    for (;;) {
      const queue = submission.nextDone(Math.min(time, submission.nextTimer));
      if (queue !== undefined) {
        queue.pop(this.#apply);
        continue;
      }
      const at = submission.nextTimer;
      const timer = submission.takeTimer(time);
      if (timer < 0) break;
      submission.from(-1, at);
      this.#design.expire(timer, at);
    }
    if (time > this.#end) this.#end = time;
    if (time >= this.#series.binEnd) this.#series.advance(time, this.#totals());
  }

  #totals(): { commands: number; syncs: number; lookups: number; hits: number; peakExposed: number } {
    const { commands, syncs } = this.#submission;
    const { lookups, hits } = this.#machine;
    return { commands, syncs, lookups, hits, peakExposed: this.#machine.takePeakExposed() };
  }

  #dma(columns: Segment['rows']['dma']['columns'], r: number, time: Nanoseconds): void {
    if ((columns.outcome[r]! & (OUTCOME.bypass | OUTCOME.fault)) !== 0) {
      this.#bypassed++;
      return;
    }
    this.#accesses++;
    const rid = columns.rid[r]!;
    if (this.#answering.cutsOff && this.#answering.isCutOff(rid)) {
      this.#answering.blockedAccesses++;
      return;
    }
    const pasid = columns.pasid[r]!;
    const named = columns.domain[r]!;
    let iovaLo = columns.iovaLo[r]!;
    let iovaHi = columns.iovaHi[r]!;
    if (this.#reuse.moves) {
      const domain = named === ABSENT ? this.#machine.domainOf(rid, pasid) : named;
      const place = this.#reuse.page(domain, pageNumber(iovaLo, iovaHi));
      this.#placed?.accessed(time, domain, place);
      iovaLo = addressLow(place) | (iovaLo & 0xfff);
      iovaHi = addressHigh(place);
    }
    const before = this.#machine.walkReads;
    this.#machine.access(time, rid, pasid, named, iovaLo, iovaHi, columns.access[r]!, columns.pageShift[r]!);
    const reads = this.#machine.walkReads - before;
    this.#stalls.request(time, rid, named, pageNumber(iovaLo, iovaHi), reads);
  }

  #map(columns: Segment['rows']['map']['columns'], r: number, time: Nanoseconds, cpu: number, task: number): void {
    const domain = this.#domains.of(columns.domain[r]!, columns.device[r]!);
    if (!changesTables(columns.origin[r]!, columns.domain[r]!)) {
      this.#domains.byDmaApi(columns.origin[r]!, domain);
      return;
    }
    if (domain === ABSENT) {
      this.#unattributedMaps++;
      return;
    }
    this.#maps++;
    this.#submission.settle(cpu, time, this.#apply);
    const { iovaLo, iovaHi, sizeLo, sizeHi } = columns;
    const first = pageNumber(iovaLo[r]!, iovaHi[r]!);
    const pages = pageNumber(sizeLo[r]!, sizeHi[r]!);
    if (pages === 0) return;
    const prot = columns.prot[r]!;
    const last = first + pages - 1;
    const offset = pageNumber(columns.physLo[r]!, columns.physHi[r]!) - first;
    const placed = this.#placed;
    let place: PageNumber;
    let replaced: boolean;
    if (placed === undefined) {
      this.#submission.freeReleased();
      place = this.#reuse.map(domain, first, pages);
      const low = addressLow(place);
      const high = addressHigh(place);
      const { physLo, physHi } = columns;
      const done = this.#machine.map(time, domain, low, high, physLo[r]!, physHi[r]!, sizeLo[r]!, sizeHi[r]!, prot);
      replaced = (done & MAP_RESULT.freedTable) !== 0;
    } else {
      this.#submission.from(cpu, time);
      place = placed.place({ domain, first, last, offset, prot, replacedFirst: -1, replacedLast: -1, cpu, task, time });
      replaced = placed.replaced;
    }
    // VT-d's tags are traced, and may come behind the first mappings
    if (this.#dialect.id !== DIALECT.vtd) this.#domains.tagIfNew(domain);
    const writes = placed === undefined || placed.changed;
    this.#submission.from(cpu, writes ? time + this.#submission.take(this.#route.map) : time);
    const moved = place - first;
    this.#design.map({
      domain,
      first: place,
      last: last + moved,
      offset: offset - moved,
      prot,
      replacedFirst: replaced ? place : -1,
      replacedLast: replaced ? last + moved : -1,
      cpu,
      task,
      time,
    });
    if (this.#mapSyncs) this.#design.syncMap(domain, cpu, task, time);
    this.#model?.mapped(time, this.#domains.rid(domain, columns.device[r]!), domain, first, pages, prot);
  }

  #unmap(
    columns: Segment['rows']['unmap']['columns'],
    r: number,
    time: Nanoseconds,
    cpu: number,
    task: number,
    event: number,
  ): void {
    const domain = this.#domains.of(columns.domain[r]!, columns.device[r]!);
    if (!changesTables(columns.origin[r]!, columns.domain[r]!)) {
      this.#domains.byDmaApi(columns.origin[r]!, domain);
      return;
    }
    if (domain === ABSENT) {
      this.#unattributedUnmaps++;
      return;
    }
    this.#unmaps++;
    this.#submission.settle(cpu, time, this.#apply);
    const { iovaLo, iovaHi, sizeLo, sizeHi } = columns;
    const first: PageNumber = pageNumber(iovaLo[r]!, iovaHi[r]!);
    const pages = pageNumber(sizeLo[r]!, sizeHi[r]!);
    if (pages === 0) return;
    this.#model?.unmapping(time, this.#domains.rid(domain, columns.device[r]!), domain, first, pages);
    this.#domains.tagIfNew(domain);
    this.#reuse.runs(domain, first, pages, (page, count) => this.#remove(domain, page, count, time, cpu, task, event));
    const unmanaged = this.#domains.isUnmanaged(domain);
    if (unmanaged) this.#unmanagedUnmaps++;
    if (!unmanaged || !this.#options.rangeFlushes) this.#design.sync(domain, cpu, task, time);
  }

  /** Pages that lie together go. */
  #remove(
    domain: DomainId,
    page: PageNumber,
    count: number,
    time: Nanoseconds,
    cpu: number,
    task: number,
    event: number,
  ): void {
    const { costs } = this.#options;
    const submission = this.#submission;
    const last = page + count - 1;
    const placed = this.#placed;
    let freedTable: number;
    if (placed === undefined) {
      const low = addressLow(page);
      const high = addressHigh(page);
      const done = this.#machine.unmap(time, domain, low, high, addressLow(count), addressHigh(count), event);
      freedTable = (done & UNMAP_RESULT.freedTable) !== 0 ? 1 : 0;
    } else {
      submission.from(cpu, time);
      freedTable = placed.remove({ domain, first: page, last, freedTable: 0, cpu, task, time }, event);
    }
    const writes = placed === undefined || placed.changed;
    const spent = Math.round(writes ? costs['cpu.unmap'] + count * costs['cpu.unmap-page'] : costs['cpu.defer']);
    submission.spend(spent);
    submission.from(cpu, time + spent + (writes ? submission.take(this.#route.unmap) : 0));
    this.#design.unmap({ domain, first: page, last, freedTable, cpu, task, time });
  }
}
