import { VTD_TYPE } from '../../traces/dialects/vtd-fields.ts';
import { ATTACH, DIALECT, FLUSH, INV_FORM, ORIGIN, RESET, STREAM_ID } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT, pageNumber } from '../../traces/units.ts';
import type { DomainId } from '../../traces/units.ts';
import { IorrError } from '../../traces/errors.ts';
import type { CacheTag } from '../designs/design.ts';
import { CacheTags } from '../designs/cache-tags.ts';
import { findDesign } from '../designs/designs.ts';
import { submitter } from '../designs/gather.ts';
import { TablePresence } from '../designs/table-presence.ts';
import type { CommandWords } from './command-matcher.ts';
import { DeviceDomains } from './device-domains.ts';
import { BEHIND_DRIVER, lastDriverEvent } from './driver-end.ts';
import { InvReport } from './inv-report.ts';
import type { InvOutcome } from './inv-report.ts';
import { readInvTraits } from './inv-traits.ts';
import type { InvTraits } from './inv-traits.ts';
import { verifyQueue } from './verify-queue.ts';
import { LazyVerifier } from './verify-lazy.ts';
import { StrictVerifier } from './verify-strict.ts';
import type { FlushVerifier } from './flush-verifier.ts';
import { WaitCheck } from './wait-check.ts';

export interface VerifyInvOptions {
  /** Name of the design that made the trace; found out from the trace if not given. */
  readonly design?: string;
}

const COLUMNS = {
  map: ['origin', 'domain', 'device', 'iova', 'phys', 'size'],
  unmap: ['origin', 'domain', 'device', 'iova', 'size'],
  attach: 'all',
  inv: ['unit', 'dialect', 'form', 'w0', 'w1', 'w2', 'w3', 'lag'],
  flush: ['op', 'unit', 'device', 'type', 'domain', 'pasid', 'start', 'end'],
} as const;

/**
 * Regenerates the trace's invalidation commands from its unmaps, maps and attachments alone and compares them word for word.
 * Returns undefined where the trace has nothing to check: no unmaps, or no commands.
 */
export function verifyInv(trace: Trace, options: VerifyInvOptions = {}): InvOutcome | undefined {
  const counts = trace.streamCounts;
  if (counts.unmap === 0 || counts.inv === 0) return undefined;
  const traits = readInvTraits(trace);
  const name = options.design ?? traits.design;
  if (name === undefined || traits.commands === 0) return undefined;
  if (findDesign(name) === undefined) {
    throw new IorrError('USAGE', `no design is called ${name}`, {
      hint: 'iorr verify --design linux-strict or linux-lazy',
    });
  }
  const report = new InvReport();
  if (traits.context.dialect !== DIALECT.vtd) {
    verifyQueue(trace, traits, report, name, lastDriverEvent(trace));
    return report.outcome();
  }
  const walk = new InvWalk(traits, report, name, lastDriverEvent(trace));
  for (const segment of trace.segments({ columns: COLUMNS, reuse: true })) walk.segment(segment);
  walk.finish();
  return report.outcome();
}

/** One pass over the trace: turns events into intents and hands commands to what can judge them. */
class InvWalk {
  readonly #traits: InvTraits;
  readonly #report: InvReport;
  readonly #verifier: FlushVerifier;
  readonly #tables = new TablePresence();
  readonly #tags = new CacheTags();
  /** Every domain and requester that had a tag in this trace. */
  readonly #known = new Set<number>();
  readonly #devices = new DeviceDomains();
  /** Submitters that tear a context or PASID entry down at the moment. */
  readonly #tearing = new Set<number>();
  readonly #waits = new Map<number, WaitCheck>();
  readonly #driverEnd: number;
  #firstUnit = ABSENT;

  constructor(traits: InvTraits, report: InvReport, design: string, driverEnd: number) {
    this.#driverEnd = driverEnd;
    this.#traits = traits;
    this.#report = report;
    this.#verifier =
      design === 'linux-lazy'
        ? new LazyVerifier(traits, report, this.#tables)
        : new StrictVerifier(traits, report, this.#tables, design);
    report.note(`checked against ${design}`);
    const { firstStage, drainBits } = traits.context;
    report.note(`drain bits of IOTLB commands, 0x${drainBits.toString(16)}, learned from the first one`);
    for (const tag of traits.tagsBefore) {
      this.#known.add(tag.domain);
      if (tag.device !== ABSENT) this.#known.add(-2 - tag.device);
      this.#tags.assign(tag);
      this.#verifier.assignTag(tag);
    }
    if (traits.tagsBefore.length > 0) {
      const domains = [...new Set(traits.tagsBefore.map((tag) => tag.domain))].sort((a, b) => a - b);
      report.note(
        `domains attached before the trace began, their cache tags learned from flushes: ${domains.join(', ')}`,
      );
    }
    if (firstStage.size > 0) {
      report.note(
        `first-stage domains, learned from their command type: ${[...firstStage].sort((a, b) => a - b).join(', ')}`,
      );
    }
  }

  segment(segment: Segment): void {
    const { stream, time, cpu, task, rows, count, firstEvent } = segment;
    const row = new Int32Array(16);
    for (let i = 0; i < count; i++) {
      const id = stream[i] ?? 0;
      const r = row[id] ?? 0;
      row[id] = r + 1;
      const event = firstEvent + i;
      const at = time[i] ?? 0;
      const c = cpu[i] ?? 0;
      const t = task[i] ?? 0;
      switch (id) {
        case STREAM_ID.map:
          this.#map(rows.map.columns, r, event, at, c, t);
          break;
        case STREAM_ID.unmap:
          this.#unmap(rows.unmap.columns, r, event, at, c, t);
          break;
        case STREAM_ID.attach:
          this.#attach(rows.attach.columns, r, submitter(c, t));
          break;
        case STREAM_ID.flush:
          this.#flush(rows.flush.columns, r, event, at, c, t);
          break;
        case STREAM_ID.inv:
          this.#inv(rows.inv.columns, r, event, at, c, t);
          break;
        default:
      }
    }
  }

  finish(): void {
    this.#verifier.finish();
  }

  #map(
    columns: Segment['rows']['map']['columns'],
    r: number,
    event: number,
    time: number,
    cpu: number,
    task: number,
  ): void {
    if (columns.origin[r] !== ORIGIN.iommu) return;
    const pages = pageNumber(columns.sizeLo[r] ?? 0, columns.sizeHi[r] ?? 0);
    if (pages === 0) return;
    let domain = this.#domain(columns.domain[r] ?? ABSENT, columns.device[r] ?? ABSENT);
    const first = pageNumber(columns.iovaLo[r] ?? 0, columns.iovaHi[r] ?? 0);
    const last = first + pages - 1;
    const offset = pageNumber(columns.physLo[r] ?? 0, columns.physHi[r] ?? 0) - first;
    const key = submitter(cpu, task);
    this.#tearing.delete(key);
    if (domain === ABSENT) domain = this.#verifier.unexplained(key);
    const replacedFirst = this.#tables.map(domain, first, last, offset);
    const { replacedLast } = this.#tables;
    const range = { domain, first, last, offset, prot: 0, replacedFirst, replacedLast };
    this.#verifier.map({ key, event, ...range, cpu, task, time });
  }

  #unmap(
    columns: Segment['rows']['unmap']['columns'],
    r: number,
    event: number,
    time: number,
    cpu: number,
    task: number,
  ): void {
    if (columns.origin[r] !== ORIGIN.iommu) return;
    const pages = pageNumber(columns.sizeLo[r] ?? 0, columns.sizeHi[r] ?? 0);
    if (pages === 0) return;
    const domain = this.#domain(columns.domain[r] ?? ABSENT, columns.device[r] ?? ABSENT);
    const first = pageNumber(columns.iovaLo[r] ?? 0, columns.iovaHi[r] ?? 0);
    const last = first + pages - 1;
    const key = submitter(cpu, task);
    this.#tearing.delete(key);
    const freedTable = domain === ABSENT ? -1 : this.#tables.unmap(domain, first, last);
    if (domain !== ABSENT && this.#tags.of(domain).length === 0) {
      if (this.#known.has(domain)) this.#report.skip('unmap in a domain that no cache holds');
      return;
    }
    this.#verifier.unmap({ key, event, domain, first, last, freedTable, cpu, task, time });
  }

  #domain(domain: DomainId, device: number): DomainId {
    return domain !== ABSENT || device === ABSENT ? domain : this.#devices.of(device);
  }

  #attach(columns: Segment['rows']['attach']['columns'], r: number, key: number): void {
    const kind = columns.kind[r];
    const device = columns.device[r] ?? ABSENT;
    if (kind === ATTACH.attach) {
      this.#devices.attached(key, device, columns.domain[r] ?? ABSENT);
      return;
    }
    if (kind !== ATTACH.tagAssign && kind !== ATTACH.tagUnassign) return;
    const domain = columns.domain[r] ?? ABSENT;
    const pasid = Math.max(0, columns.pasid[r] ?? 0);
    const tag: CacheTag = { domain, unit: columns.unit[r] ?? ABSENT, type: columns.type[r] ?? 0, device, pasid };
    if (kind === ATTACH.tagAssign) {
      this.#known.add(domain);
      if (device !== ABSENT) this.#known.add(-2 - device);
      this.#devices.tagAssigned(key, domain);
      this.#tags.assign(tag);
      this.#verifier.assignTag(tag);
    } else {
      this.#tags.unassign(tag);
      this.#verifier.unassignTag(tag);
      // the id is free again: whoever gets it next begins with an empty table
      if (this.#tags.of(domain).length === 0) this.#tables.drop(domain);
    }
  }

  #flush(
    columns: Segment['rows']['flush']['columns'],
    r: number,
    event: number,
    time: number,
    cpu: number,
    task: number,
  ): void {
    const domain = columns.domain[r] ?? ABSENT;
    const key = submitter(cpu, task);
    this.#tearing.delete(key);
    const first = this.#tags.of(domain)[0];
    const pasid = Math.max(0, columns.pasid[r] ?? 0);
    // one event a tag: the first one stands for the whole flush
    if (first === undefined || first.type !== columns.type[r] || first.pasid !== pasid) return;
    if (first.device !== (columns.device[r] ?? ABSENT) || first.unit !== columns.unit[r]) return;
    this.#verifier.flush({
      key,
      event,
      op: columns.op[r] ?? FLUSH.range,
      domain,
      first: pageNumber(columns.startLo[r] ?? 0, columns.startHi[r] ?? 0),
      last: pageNumber(columns.endLo[r] ?? 0, columns.endHi[r] ?? 0),
      cpu,
      task,
      time,
    });
  }

  #inv(
    columns: Segment['rows']['inv']['columns'],
    r: number,
    event: number,
    time: number,
    cpu: number,
    task: number,
  ): void {
    if (columns.dialect[r] !== DIALECT.vtd) {
      this.#report.skip('command of a dialect that no design speaks');
      return;
    }
    const unit = columns.unit[r] ?? ABSENT;
    const form = columns.form[r];
    const lo = columns.w0Lo[r] ?? 0;
    if (form !== INV_FORM.words) {
      if (form === INV_FORM.reset && (lo === RESET.queueSetup || lo === RESET.unitReset)) this.#wait(unit).reset();
      if (form === INV_FORM.decoded)
        this.#report.skip('command rebuilt from decoded fields: its words are not complete');
      return;
    }
    const hi = columns.w0Hi[r] ?? 0;
    const w1Lo = columns.w1Lo[r] ?? 0;
    const w1Hi = columns.w1Hi[r] ?? 0;
    const type = lo & 15;
    if (type === VTD_TYPE.wait) {
      this.#checkWait(unit, event, lo, hi, w1Lo, w1Hi);
      return;
    }
    if (this.#traits.waits) this.#wait(unit).command();
    const key = submitter(cpu, task);
    if (!isFlush(type)) {
      if (type === VTD_TYPE.context || type === VTD_TYPE.pasidCache) this.#tearing.add(key);
      this.#report.skip(SKIPPED[type] ?? `command of type ${type}`);
      return;
    }
    if (this.#tearing.has(key) && isWhole(type, lo, w1Lo)) {
      this.#report.skip('whole-domain flush of a context or PASID entry that was changed');
      return;
    }
    this.#tearing.delete(key);
    if (!this.#known.has(flushTarget(type, lo, hi)) && !this.#verifier.expects(key)) {
      this.#report.skip('flush for a domain or device that was attached before the trace began');
      return;
    }
    if (cpu === ABSENT && event > this.#driverEnd) {
      this.#report.skip(BEHIND_DRIVER);
      return;
    }
    const words: CommandWords = [
      lo,
      hi,
      w1Lo,
      w1Hi,
      columns.w2Lo[r] ?? 0,
      columns.w2Hi[r] ?? 0,
      columns.w3Lo[r] ?? 0,
      columns.w3Hi[r] ?? 0,
    ];
    const lag = (columns.lagHi[r] ?? 0) * 0x100000000 + ((columns.lagLo[r] ?? 0) >>> 0);
    this.#verifier.command({ key, cpu, task, event, submitted: time - lag, words });
  }

  /** The queue of a unit. QEMU's log names none: its queue is that of the first unit that anything names. */
  #wait(unit: number): WaitCheck {
    if (unit !== ABSENT && this.#firstUnit === ABSENT) {
      this.#firstUnit = unit;
      const nameless = this.#waits.get(ABSENT);
      if (nameless !== undefined) this.#waits.set(unit, nameless);
    }
    const key = unit === ABSENT ? this.#firstUnit : unit;
    let check = this.#waits.get(key);
    if (check === undefined) {
      check = new WaitCheck();
      this.#waits.set(key, check);
    }
    return check;
  }

  #checkWait(unit: number, event: number, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): void {
    const check = this.#wait(unit);
    const verdict = check.wait(w0Lo, w0Hi, w1Lo, w1Hi);
    const words: CommandWords = [w0Lo, w0Hi, w1Lo, w1Hi, 0, 0, 0, 0];
    switch (verdict) {
      case 'learned':
        this.#report.skip('first wait of a queue: its status address is learned');
        this.#report.note(
          `status address of the wait commands, 0x${check.expectedAddress.toString(16)}, learned from the first one`,
        );
        break;
      case 'drain':
        this.#report.skip('wait that drains page requests or raises an interrupt');
        break;
      case 'agreed':
        this.#report.agreed('inv.wait');
        break;
      case 'word':
      case 'address': {
        const address = check.expectedAddress;
        const model: CommandWords = [0x25, 2, address | 0, Math.floor(address / 0x100000000) | 0, 0, 0, 0, 0];
        this.#report.altered('inv.wait', event, words, model);
        break;
      }
    }
  }
}

const SKIPPED: { readonly [type: number]: string } = {
  [VTD_TYPE.context]: 'context-cache command: implied by an attachment, not by an unmap',
  [VTD_TYPE.pasidCache]: 'PASID-cache command: implied by an attachment, not by an unmap',
  [VTD_TYPE.interrupt]: 'interrupt-entry-cache command: not about translations',
  [VTD_TYPE.pageResponse]: 'page group response: answers a page request',
};

function isFlush(type: number): boolean {
  return (
    type === VTD_TYPE.iotlb ||
    type === VTD_TYPE.deviceTlb ||
    type === VTD_TYPE.pasidIotlb ||
    type === VTD_TYPE.pasidDeviceTlb
  );
}

/** Drops everything of a domain, a PASID or a device. */
function isWhole(type: number, w0Lo: number, w1Lo: number): boolean {
  if (type === VTD_TYPE.iotlb || type === VTD_TYPE.pasidIotlb) return ((w0Lo >>> 4) & 3) !== 3;
  return w1Lo === (type === VTD_TYPE.deviceTlb ? -0xfff : -0x800);
}

/** The domain that a flush names, or -2 minus its requester. */
function flushTarget(type: number, w0Lo: number, w0Hi: number): number {
  if (type === VTD_TYPE.deviceTlb) return -2 - (w0Hi & 0xffff);
  if (type === VTD_TYPE.pasidDeviceTlb) return -2 - (w0Lo >>> 16);
  return w0Lo >>> 16;
}
