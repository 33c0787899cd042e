import { dialectById } from '../../traces/dialects/dialects.ts';
import { ATTACH, DIALECT, INV_FORM, ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT, pageNumber } from '../../traces/units.ts';
import type { DomainId, Nanoseconds, RequesterId } from '../../traces/units.ts';
import type { CommandEmitter } from '../designs/design.ts';
import { submitter } from '../designs/gather.ts';
import { LinuxStrict } from '../designs/linux-strict.ts';
import { BatchTape } from './batch-tape.ts';
import { BEHIND_DRIVER } from './driver-end.ts';
import { COMMAND_ROLE, domainOfCommand, isWholeFlush, roleOf } from './flush-commands.ts';
import { FlushLane, IdleTimes, tapeEmitter } from './flush-lane.ts';
import type { LaneIntent } from './flush-lane.ts';
import type { RecordedUnmap } from './flush-verifier.ts';
import type { InvReport } from './inv-report.ts';
import type { InvTraits } from './inv-traits.ts';
import { LaneJudge } from './lane-judge.ts';
import { LazyCauses } from './lazy-causes.ts';
import type { LazyEmit } from './lazy-causes.ts';
import { changesTables } from './table-changes.ts';

const COLUMNS = {
  map: ['origin', 'domain', 'device', 'iova', 'phys', 'size', 'prot'],
  unmap: ['origin', 'domain', 'device', 'iova', 'size'],
  attach: ['kind', 'device', 'domain'],
  inv: ['dialect', 'form', 'w0', 'w1', 'w2', 'w3'],
} as const;

/**
 * Checks the flushes of IOMMUs whose commands name no submitter (SMMUv3, AMD, virtio-iommu): domain by domain, what each map and
 * unmap makes its driver send is laid beside what the queue held, in order.
 */
export function verifyQueue(
  trace: Trace,
  traits: InvTraits,
  report: InvReport,
  design: string,
  driverEnd: number,
): void {
  report.note(`checked against ${design}`);
  const walk = new QueueWalk(traits, report, design === 'linux-lazy', driverEnd);
  for (const segment of trace.segments({ columns: COLUMNS, reuse: true })) walk.segment(segment);
  walk.finish();
}

/** A command of the queue that waits for the wait behind it. `mark` 1: it may have to do with a change of configuration. */
interface OpenBatch {
  readonly event: number;
  readonly time: Nanoseconds;
  mark: number;
  /** It drops everything of its domain, and nothing else. */
  whole: boolean;
}

/** A queue's command is no submitter's: whoever's ring was full may have sent it. */
const EVERYBODY = 0;
/** How long before its unmap a flush may be recorded: the clocks of both sides agree to within that. */
const EARLY_NS = 2e5;

/** A recorded flush of a whole domain. `cpu` -1: not known. */
interface HeldFlush {
  readonly lane: FlushLane;
  readonly cpu: number;
  readonly event: number;
  readonly time: Nanoseconds;
}

/** Predicted commands that are kept, at least and for each recorded one. */
const LEAST_ROOM = 1 << 20;
const ROOM = 8;

/** Submitter of commands whose submitter is not known. */
const NOBODY = Number.MIN_SAFE_INTEGER;

class QueueWalk {
  readonly #traits: InvTraits;
  readonly #report: InvReport;
  readonly #dialect: number;
  readonly #typeNames: readonly string[];
  readonly #driverEnd: number;
  /** By domain, then by submitter; those of commands whose submitter is not known under `NOBODY`. */
  readonly #lanes = new Map<DomainId, Map<number, FlushLane>>();
  readonly #idle = new Map<DomainId, IdleTimes>();
  readonly #devices = new Map<RequesterId, DomainId>();
  /** One of them makes the predictions. */
  readonly #design: LinuxStrict | undefined;
  readonly #causes: LazyCauses | undefined;
  /** AMD, lazy: the log does not tell a queue's flush from others, so that only the flushes of mappings are predicted. */
  readonly #onlyMaps: boolean;
  /** A flush of a whole domain that came when nothing had asked for it yet, but the next unmap may. */
  #held: HeldFlush | undefined;
  /** Lane of the prediction that is being made, its event, and 1 where permissions are known. */
  #lane: FlushLane | undefined;
  /** The newest mapping of each submitter. */
  readonly #newestMap = new Map<number, { readonly device: RequesterId; readonly made: LaneIntent }>();
  #event = 0;
  #time: Nanoseconds = 0;
  #key = 0;
  #mark = 0;
  /** Recorded batches that no wait has closed yet. */
  readonly #open = new Map<FlushLane, OpenBatch>();
  #afterConfiguration = false;
  /** Flushes of whole domains that no other command has followed yet. */
  readonly #wholes: { readonly lane: FlushLane; readonly batch: number; readonly time: Nanoseconds }[] = [];
  #unknownMaps = 0;
  /** How many more commands are predicted: a trace with absurd sizes must not fill the memory. */
  #room: number;
  /** Unmaps of unknown domain that no command was taken for yet. */
  #unknownUnmaps = 0;

  constructor(traits: InvTraits, report: InvReport, lazy: boolean, driverEnd: number) {
    this.#driverEnd = driverEnd;
    this.#traits = traits;
    this.#report = report;
    this.#dialect = traits.context.dialect;
    this.#typeNames = dialectById(this.#dialect)?.typeNames ?? [];
    this.#room = LEAST_ROOM + ROOM * traits.commands;
    const command: CommandEmitter['command'] = (_unit, ...words) => {
      if (this.#room-- <= 0) return;
      this.#lane?.expected.commands.add(...words);
      // requests are answered one by one
      if (this.#dialect === DIALECT.virtio) this.#closePrediction();
    };
    const submit = (): void => this.#closePrediction();
    this.#onlyMaps = lazy && this.#dialect === DIALECT.amd;
    // virtio sends its requests at once whatever the policy
    if (lazy && this.#dialect === DIALECT.smmuv3) {
      const emit: LazyEmit = (_key, _event, ...words) => command(...words);
      this.#causes = new LazyCauses(traits, report, emit, submit);
    } else {
      const emit = { ...tapeEmitter(new BatchTape(), submit), command };
      this.#design = new LinuxStrict(emit, traits.context);
    }
  }

  segment(segment: Segment): void {
    const { stream, time, cpu, task, rows, count, firstEvent } = segment;
    const row = new Int32Array(16);
    for (let i = 0; i < count; i++) {
      const id = stream[i] ?? 0;
      const r = row[id] ?? 0;
      row[id] = r + 1;
      this.#event = firstEvent + i;
      this.#time = time[i] ?? 0;
      switch (id) {
        case STREAM_ID.map:
          this.#map(rows.map.columns, r, cpu[i] ?? 0, task[i] ?? 0);
          break;
        case STREAM_ID.unmap:
          this.#unmap(rows.unmap.columns, r, cpu[i] ?? 0, task[i] ?? 0);
          break;
        case STREAM_ID.attach:
          if (rows.attach.columns.kind[r] === ATTACH.attach && (rows.attach.columns.domain[r] ?? ABSENT) !== ABSENT) {
            this.#devices.set(rows.attach.columns.device[r] ?? ABSENT, rows.attach.columns.domain[r] ?? ABSENT);
          }
          break;
        case STREAM_ID.inv:
          this.#inv(rows.inv.columns, r, cpu[i] ?? ABSENT, task[i] ?? ABSENT);
          break;
        default:
      }
    }
  }

  #map(columns: Columns<'map'>, r: number, cpu: number, task: number): void {
    const named = columns.domain[r] ?? ABSENT;
    if (!changesTables(columns.origin[r] ?? 0, named)) {
      this.#returned(columns, r, submitter(cpu, task));
      return;
    }
    const pages = pageNumber(columns.sizeLo[r] ?? 0, columns.sizeHi[r] ?? 0);
    if (pages === 0) return;
    const domain = this.#domain(named, columns.device[r] ?? ABSENT);
    if (domain === ABSENT) {
      this.#unknownMaps++;
      return;
    }
    const first = pageNumber(columns.iovaLo[r] ?? 0, columns.iovaHi[r] ?? 0);
    const offset = pageNumber(columns.physLo[r] ?? 0, columns.physHi[r] ?? 0) - first;
    const prot = columns.prot[r] ?? 0;
    const lane = this.#begin(domain, cpu, task, prot === 0 ? 0 : 1);
    const before = lane.expected.length;
    const range = { domain, first, last: first + pages - 1, offset, prot, replacedFirst: -1, replacedLast: -1 };
    const intent = { key: EVERYBODY, event: this.#event, ...range, cpu, task, time: this.#time };
    this.#causes?.map(intent);
    this.#design?.map(intent);
    this.#design?.syncMap(domain, cpu, task, this.#time);
    if (lane.expected.length === before + 1) {
      const made: LaneIntent = { mapped: true, returned: false, key: this.#key, first, last: range.last, cpu, task };
      lane.intents[before] = made;
      this.#newestMap.set(this.#key, { device: columns.device[r] ?? ABSENT, made });
    }
  }

  /** The DMA API's call that asked for the submitter's newest mapping returns: nothing more belongs to it. */
  #returned(columns: Columns<'map'>, r: number, key: number): void {
    const newest = this.#newestMap.get(key);
    if (newest === undefined || columns.origin[r] !== ORIGIN.dmaApi) return;
    const device = columns.device[r] ?? ABSENT;
    const page = pageNumber(columns.iovaLo[r] ?? 0, columns.iovaHi[r] ?? 0);
    // an interrupt's call may be of a device without translation
    if (device === newest.device && page <= newest.made.last) newest.made.returned = true;
  }

  #unmap(columns: Columns<'unmap'>, r: number, cpu: number, task: number): void {
    const named = columns.domain[r] ?? ABSENT;
    if (!changesTables(columns.origin[r] ?? 0, named)) return;
    const pages = pageNumber(columns.sizeLo[r] ?? 0, columns.sizeHi[r] ?? 0);
    if (pages === 0) return;
    const domain = this.#domain(named, columns.device[r] ?? ABSENT);
    if (domain === ABSENT) {
      this.#unknownUnmaps++;
      if (this.#causes === undefined) this.#report.skip('unmap whose domain is not known');
      else this.#causes.unmap(this.#unknownUnmap(columns, r, cpu, task));
      return;
    }
    const first = pageNumber(columns.iovaLo[r] ?? 0, columns.iovaHi[r] ?? 0);
    const lane = this.#begin(domain, cpu, task, 1);
    const before = lane.expected.length;
    const last = first + pages - 1;
    const time = this.#time;
    const intent = { key: EVERYBODY, event: this.#event, domain, first, last, freedTable: 0, cpu, task, time };
    if (this.#onlyMaps) {
      this.#report.skip('unmap that a queue took: the log does not tell its flush from others');
      return;
    }
    this.#design?.unmap(intent);
    this.#design?.sync(domain, cpu, task, time);
    if (this.#causes !== undefined) this.#queued(this.#causes, intent);
    if (lane.expected.length === before + 1) {
      lane.intents[before] = { mapped: false, returned: false, key: this.#key, first, last, cpu, task };
    }
  }

  #unknownUnmap(columns: Columns<'unmap'>, r: number, cpu: number, task: number): RecordedUnmap {
    const first = pageNumber(columns.iovaLo[r] ?? 0, columns.iovaHi[r] ?? 0);
    const at = { key: EVERYBODY, event: this.#event, cpu, task, time: this.#time };
    return { ...at, domain: ABSENT, first, last: first, freedTable: -1 };
  }

  /** Lazy: an unmap joins its CPU's ring, and flushes it first if it is full. */
  #queued(causes: LazyCauses, intent: RecordedUnmap): void {
    if (!causes.isQueued(intent.domain)) {
      causes.flushUnmap(intent);
      return;
    }
    const held = this.#held;
    if (held?.lane.domain !== intent.domain) {
      causes.unmap(intent);
      return;
    }
    // the clocks of both sides are not exact: a flush may be recorded just before the unmap that asked for it
    this.#held = undefined;
    const early = intent.time - held.time <= EARLY_NS && causes.isFull(intent.domain, intent.cpu);
    if (!early) this.#explain(causes, held);
    causes.unmap(intent);
    if (early) this.#explain(causes, held);
    this.#begin(intent.domain, intent.cpu, intent.task, 1);
  }

  /** Finds out why a whole domain was flushed. */
  #explain(causes: LazyCauses, { lane, cpu, event, time }: HeldFlush): void {
    this.#lane = lane;
    const where = cpu >= 0 ? cpu : causes.newestCpu(lane.domain);
    causes.flushed(EVERYBODY, where, event, lane.domain, time);
  }

  #begin(domain: DomainId, cpu: number, task: number, mark: number): FlushLane {
    this.#key = submitter(cpu, task);
    this.#mark = mark;
    const lane = this.#laneOf(domain, this.#key);
    this.#lane = lane;
    return lane;
  }

  #closePrediction(): void {
    const tape = this.#lane?.expected;
    if (tape !== undefined && tape.pending > 0) tape.close(this.#event, this.#time, this.#key, this.#mark);
  }

  #laneOf(domain: DomainId, key: number): FlushLane {
    let byKey = this.#lanes.get(domain);
    let idle = this.#idle.get(domain);
    if (byKey === undefined || idle === undefined) {
      byKey = new Map();
      // where mapping flushes, a mapping without a flush tells that no device is there
      idle = new IdleTimes(this.#dialect === DIALECT.amd && this.#traits.context.cachingMode);
      this.#lanes.set(domain, byKey);
      this.#idle.set(domain, idle);
      const tag = { domain, unit: 0, type: 0, device: ABSENT, pasid: 0 };
      this.#design?.assignTag(tag);
      this.#causes?.assignTag(tag);
    }
    let lane = byKey.get(key);
    if (lane === undefined) {
      lane = new FlushLane(domain, this.#traits.context, idle);
      byKey.set(key, lane);
    }
    return lane;
  }

  #domain(domain: DomainId, device: RequesterId): DomainId {
    return domain !== ABSENT || device === ABSENT ? domain : (this.#devices.get(device) ?? ABSENT);
  }

  #inv(columns: Columns<'inv'>, r: number, cpu: number, task: number): void {
    const form = columns.form[r];
    if (form !== INV_FORM.words && form !== INV_FORM.decoded) return;
    if (columns.dialect[r] !== this.#dialect) {
      this.#report.skip('command of another dialect than most of the trace');
      return;
    }
    const w0Lo = columns.w0Lo[r] ?? 0;
    const w0Hi = columns.w0Hi[r] ?? 0;
    switch (roleOf(this.#dialect, w0Lo, w0Hi)) {
      case COMMAND_ROLE.flush:
        this.#flushed(columns, r, cpu, task);
        break;
      case COMMAND_ROLE.wait:
        this.#waited();
        break;
      case COMMAND_ROLE.configuration:
        this.#settleWholes(true);
        // no request but UNMAP takes mappings away
        this.#afterConfiguration = this.#dialect !== DIALECT.virtio;
        this.#report.skip(`${this.#nameOf(w0Lo, w0Hi)}: implied by an attachment, not by an unmap`);
        break;
      default:
        this.#report.skip(`${this.#nameOf(w0Lo, w0Hi)}: not implied by an unmap as far as the trace tells`);
    }
  }

  #flushed(columns: Columns<'inv'>, r: number, cpu: number, task: number): void {
    const w0Lo = columns.w0Lo[r] ?? 0;
    const w0Hi = columns.w0Hi[r] ?? 0;
    const domain = domainOfCommand(this.#dialect, w0Lo, w0Hi);
    const lane = this.#laneOf(domain, task === ABSENT ? NOBODY : submitter(cpu, task));
    const whole = isWholeFlush(this.#dialect, w0Lo);
    this.#settleWholes(false);
    if (whole && this.#causes !== undefined) {
      // a queue's flush has a cause
      if (this.#held?.lane.domain === domain) this.#release();
      if (this.#causes.isIdle(domain)) {
        const behind = cpu === ABSENT && this.#event > this.#driverEnd;
        this.#report.skip(behind ? BEHIND_DRIVER : 'whole-domain flush where nothing was queued: of an attachment');
        return;
      }
      this.#hold(this.#causes, { lane, cpu, event: this.#event, time: this.#time });
    }
    const open = this.#open.get(lane);
    if (open === undefined) {
      // a lone command behind a change of configuration likely is its own
      const strict = this.#causes === undefined;
      const mark = (strict && this.#afterConfiguration) || this.#onlyMaps ? 1 : 0;
      this.#open.set(lane, { event: this.#event, time: this.#time, mark, whole });
    } else if (!whole) {
      open.mark = 0;
      open.whole = false;
    }
    lane.seen.commands.add(
      w0Lo,
      w0Hi,
      columns.w1Lo[r] ?? 0,
      columns.w1Hi[r] ?? 0,
      columns.w2Lo[r] ?? 0,
      columns.w2Hi[r] ?? 0,
      columns.w3Lo[r] ?? 0,
      columns.w3Hi[r] ?? 0,
    );
    if (this.#dialect === DIALECT.virtio) this.#waited();
  }

  /** A flush that is due is explained at once; any other waits for the next unmap of its domain. */
  #hold(causes: LazyCauses, flush: HeldFlush): void {
    this.#release();
    if (causes.isDue(flush.lane.domain)) this.#explain(causes, flush);
    else this.#held = flush;
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined && this.#causes !== undefined) this.#explain(this.#causes, held);
  }

  #waited(): void {
    if (this.#open.size === 0) {
      this.#report.skip('wait for commands that no unmap asks for');
      return;
    }
    for (const [lane, { event, time, mark, whole }] of this.#open) {
      lane.seen.close(event, time, NOBODY, mark);
      // whether a device comes or goes is known with the next command
      if (whole && mark === 0) this.#wholes.push({ lane, batch: lane.seen.length - 1, time });
      else this.#idle.get(lane.domain)?.flushed(time, mark === 1);
    }
    this.#open.clear();
    // until here: one change may flush several domains (drivers/iommu/amd/iommu.c, amd_iommu_flush_tlb_all)
    this.#afterConfiguration = false;
  }

  /** A flush of a whole domain in front of a change of configuration is of the same attachment. */
  #settleWholes(configuration: boolean): void {
    for (const { lane, batch, time } of this.#wholes) {
      if (configuration && this.#causes === undefined) lane.seen.marks[batch] = 1;
      this.#idle.get(lane.domain)?.flushed(time, configuration);
    }
    this.#wholes.length = 0;
  }

  #nameOf(w0Lo: number, w0Hi: number): string {
    const type = dialectById(this.#dialect)?.typeNumber(w0Lo, w0Hi) ?? 0;
    return this.#typeNames[type] ?? 'command';
  }

  finish(): void {
    this.#release();
    this.#settleWholes(false);
    if (this.#open.size > 0) {
      if (this.#traits.waits) this.#report.skip('wait behind the end of the trace', this.#open.size);
      for (const [lane, { event, time }] of this.#open) lane.seen.close(event, time, NOBODY, 2);
    }
    if (this.#room < 0) this.#report.skip('predicted command beyond eight for each recorded one', -this.#room);
    const grounds = {
      unknownUnmaps: this.#unknownUnmaps,
      onlyMaps: this.#onlyMaps,
      driverEnd: this.#driverEnd,
    };
    const judge = new LaneJudge(this.#traits, this.#report, grounds);
    for (const [domain, lanes] of this.#lanes) {
      judge.domain(domain, [...lanes.values()], this.#idle.get(domain) ?? new IdleTimes());
    }
    judge.finish();
    this.#causes?.finish();
    if (this.#unknownMaps > 0) this.#report.skip('map whose domain is not known', this.#unknownMaps);
  }
}
