import type { DomainId, Nanoseconds, PageNumber, RequesterId } from '../../traces/units.ts';
import { SCOPE } from '../model/command-scope.ts';
import type { CommandScope } from '../model/command-scope.ts';
import { DurationCounts } from '../model/duration-counts.ts';
import { PendingUnmaps, SETTLED } from '../model/pending-unmaps.ts';
import type { PendingUnmap } from '../model/pending-unmaps.ts';
import type { FindingList } from './safety-findings.ts';

/** How unmaps came by their commands. Pages of one unmap that settle apart count apart. */
export interface UnflushedCounts {
  readonly unmaps: number;
  /** Pages that a command named, that were mapped again first, and that waited at the end. */
  readonly pages: { readonly covered: number; readonly remapped: number; readonly open: number };
  /** From unmap to command, weighted by pages. */
  readonly ns: {
    readonly p50: Nanoseconds;
    readonly p95: Nanoseconds;
    readonly p99: Nanoseconds;
    readonly max: Nanoseconds;
  };
}

/** Types of cache tags: see `TAG_TYPE_NAMES`. */
const DEVICE_TLB = 1;
const NESTING_DEVICE_TLB = 3;
const ANY_UNIT = -1;

/** One cache that a domain's unmaps must reach: an IOMMU's own, or a device's. */
interface Target {
  readonly unit: number;
  readonly device: RequesterId;
  readonly pending: PendingUnmaps;
}

interface DomainTargets {
  targets: Target[];
  /** Requesters attached, for devices whose TLB shows first by a command to it. */
  readonly devices: Set<RequesterId>;
  /** Its last device has left: nothing can be cached of what is unmapped from then on. */
  left: boolean;
}

/**
 * What was unmapped and which commands have named it, for each cache that holds translations of the domain. Cache tags tell
 * which those are; where there are none, one IOMMU is assumed, and devices that take device-TLB commands have a TLB.
 */
export class UnmapLedger {
  readonly #findings: FindingList;
  readonly #domains = new Map<DomainId, DomainTargets>();
  readonly #iotlb = new Settled();
  readonly #device = new Settled();
  readonly #withTlb = new Set<RequesterId>();
  #deviceTargets = 0;
  #now: Nanoseconds = 0;
  readonly #covered = { pages: 0 };

  constructor(findings: FindingList) {
    this.#findings = findings;
  }

  get givenUp(): number {
    let sum = 0;
    for (const { targets } of this.#domains.values()) for (const { pending } of targets) sum += pending.dropped;
    return sum;
  }

  tag(domain: DomainId, type: number, unit: number, device: RequesterId): void {
    const held = this.#of(domain);
    if (type === DEVICE_TLB || type === NESTING_DEVICE_TLB) this.#deviceTarget(held, device);
    else if (!held.targets.some((target) => target.device < 0 && target.unit === unit)) {
      // the target that stood in while no tag was known is this unit
      const standIn = held.targets.findIndex((target) => target.device < 0 && target.unit === ANY_UNIT);
      const pending = held.targets[standIn]?.pending ?? this.#pending(this.#iotlb, 'the IOTLB');
      if (standIn >= 0) held.targets.splice(standIn, 1);
      held.targets.push({ unit, device: -1, pending });
    }
  }

  untag(domain: DomainId, type: number, unit: number, device: RequesterId): void {
    const held = this.#of(domain);
    const ofDevice = type === DEVICE_TLB || type === NESTING_DEVICE_TLB;
    // what a cache that goes still waited for is flushed with it
    held.targets = held.targets.filter((target) =>
      ofDevice ? target.device !== device : target.device >= 0 || target.unit !== unit,
    );
  }

  attach(domain: DomainId, device: RequesterId): void {
    if (device < 0) return;
    this.leave(device);
    const held = this.#of(domain);
    held.devices.add(device);
    held.left = false;
    if (this.#withTlb.has(device)) this.#deviceTarget(held, device);
  }

  /** The device goes through another domain now, whose number is not known. */
  leave(device: RequesterId): void {
    for (const held of this.#domains.values()) {
      if (held.devices.delete(device) && held.devices.size === 0) held.left = true;
    }
  }

  unmap(
    domain: DomainId,
    first: PageNumber,
    last: PageNumber,
    time: Nanoseconds,
    event: number,
    submitter: number,
  ): void {
    const held = this.#of(domain);
    // cache tags know better than attachments, of which a kernel's trace does not tell the domain
    if (held.left && !held.targets.some((target) => target.unit >= 0)) return;
    if (!held.targets.some((target) => target.device < 0)) {
      held.targets.push({ unit: ANY_UNIT, device: -1, pending: this.#pending(this.#iotlb, 'the IOTLB') });
    }
    this.#iotlb.unmaps++;
    if (held.targets.length > 1) this.#device.unmaps++;
    for (const { pending } of held.targets) pending.add(first, last, time, event, submitter);
  }

  map(domain: DomainId, first: PageNumber, last: PageNumber, event: number, time: Nanoseconds): void {
    const held = this.#domains.get(domain);
    if (held === undefined) return;
    this.#now = time;
    for (const { pending } of held.targets) if (pending.count > 0) pending.remap(first, last, event);
  }

  /** A command takes effect. Returns the pages of the widest cover; the object is reused. */
  cover(
    scope: CommandScope,
    unit: number,
    time: Nanoseconds,
    event: number,
    submitter: number,
  ): { readonly pages: number } {
    this.#now = time;
    this.#covered.pages = 0;
    if (scope.kind === SCOPE.deviceTlb) this.#coverDevice(scope, event, submitter);
    else if (scope.domain >= 0) {
      const held = this.#domains.get(scope.domain);
      if (held !== undefined) this.#coverDomain(held, scope, unit, event, submitter);
    } else {
      for (const [domain, held] of this.#domains) {
        if (scope.vmid < 0 || domain >>> 16 === scope.vmid) this.#coverDomain(held, scope, unit, event, submitter);
      }
    }
    return this.#covered;
  }

  /** The submitter waits for what it sent. */
  wait(submitter: number): void {
    for (const { targets } of this.#domains.values()) {
      for (const { pending } of targets) if (pending.count > 0) pending.judge(submitter);
    }
  }

  /** All caches were emptied. */
  reset(time: Nanoseconds, event: number, submitter: number): void {
    this.#now = time;
    for (const { targets } of this.#domains.values()) {
      for (const { pending } of targets) pending.cover(0, Number.MAX_SAFE_INTEGER, event, submitter);
    }
  }

  finish(time: Nanoseconds, event: number): void {
    this.#now = time;
    for (const { targets } of this.#domains.values()) for (const { pending } of targets) pending.finish(event);
  }

  iotlbCounts(): UnflushedCounts {
    return this.#iotlb.counts();
  }

  deviceCounts(): UnflushedCounts | null {
    return this.#deviceTargets === 0 ? null : this.#device.counts();
  }

  #of(domain: DomainId): DomainTargets {
    let held = this.#domains.get(domain);
    if (held === undefined) {
      held = { targets: [], devices: new Set(), left: false };
      this.#domains.set(domain, held);
    }
    return held;
  }

  #deviceTarget(held: DomainTargets, device: RequesterId): void {
    if (device < 0 || held.targets.some((target) => target.device === device)) return;
    this.#deviceTargets++;
    held.targets.push({ unit: ANY_UNIT, device, pending: this.#pending(this.#device, 'a device TLB') });
  }

  #coverDomain(held: DomainTargets, scope: CommandScope, unit: number, event: number, submitter: number): void {
    for (const target of held.targets) {
      if (target.device >= 0) continue;
      if (unit >= 0 && target.unit >= 0 && target.unit !== unit) continue;
      this.#cover(target, scope, event, submitter);
    }
  }

  #coverDevice(scope: CommandScope, event: number, submitter: number): void {
    if (!this.#withTlb.has(scope.device)) {
      this.#withTlb.add(scope.device);
      for (const held of this.#domains.values()) {
        if (held.devices.has(scope.device)) this.#deviceTarget(held, scope.device);
      }
    }
    for (const { targets } of this.#domains.values()) {
      for (const target of targets) if (target.device === scope.device) this.#cover(target, scope, event, submitter);
    }
  }

  #cover({ pending }: Target, scope: CommandScope, event: number, submitter: number): void {
    if (pending.count === 0) return;
    const pages = pending.cover(scope.first, scope.last, event, submitter);
    if (pages > this.#covered.pages) this.#covered.pages = pages;
  }

  #pending(settled: Settled, cache: string): PendingUnmaps {
    return new PendingUnmaps((unmap, pages, how, event) => {
      const ageNs = Math.max(0, this.#now - unmap.time);
      settled.add(pages, how, ageNs);
      this.#judge(unmap, how, event, ageNs, cache);
    });
  }

  #judge(unmap: PendingUnmap, how: number, event: number, ageNs: Nanoseconds, cache: string): void {
    const pages = `pages 0x${unmap.first.toString(16)} to 0x${unmap.last.toString(16)}`;
    if (how === SETTLED.remapped) {
      this.#findings.add('missing', event, unmap.event, ageNs, `${pages} mapped again before ${cache} was told`);
    } else if (unmap.overdue && how === SETTLED.open) {
      this.#findings.add('missing', event, unmap.event, ageNs, `${cache} was never told of ${pages}`);
    } else if (unmap.overdue) {
      this.#findings.add(
        'late',
        event,
        unmap.event,
        ageNs,
        `${cache} was told of ${pages} after a later flush of the same submitter (interrupted, or too late)`,
      );
    }
  }
}

/** Sums over all caches of a kind. */
class Settled {
  unmaps = 0;
  readonly #pages = [0, 0, 0];
  readonly #durations = new DurationCounts();

  add(pages: number, how: number, ageNs: Nanoseconds): void {
    this.#pages[how] = (this.#pages[how] ?? 0) + pages;
    if (how === SETTLED.covered) this.#durations.add(Math.round(ageNs), pages);
  }

  counts(): UnflushedCounts {
    const [p50 = 0, p95 = 0, p99 = 0, max = 0] = this.#durations.quantiles([0.5, 0.95, 0.99, 1]);
    const [covered = 0, remapped = 0, open = 0] = this.#pages;
    return { unmaps: this.unmaps, pages: { covered, remapped, open }, ns: { p50, p95, p99, max } };
  }
}
