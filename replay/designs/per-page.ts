import { DIALECT } from '../../traces/schema.ts';
import type { DomainId, PageNumber } from '../../traces/units.ts';
import type { CommandEmitter, DesignContext, DesignFactory, MapIntent, UnmapIntent } from './design.ts';
import type { FlushRange } from './domain-flush.ts';
import { submitter } from './gather.ts';
import { LeafBlocks } from './leaf-blocks.ts';
import { LinuxStrict } from './linux-strict.ts';
import { leafOrders } from './leaf-orders.ts';

/** Commands for one domain and sync at most; what would take more is dropped as a whole, since no hardware queue sees its end. */
const MOST_COMMANDS = 1 << 15;

/**
 * Strict without range commands: each 4 KiB page, or larger leaf, has a command of its own, as on hardware or with drivers that know no
 * ranges. Each unmap waits.
 */
class PerPage extends LinuxStrict {
  readonly #virtio: boolean;
  readonly #leafs: LeafBlocks;
  /** By submitter and domain: leaves that were unmapped and not yet flushed. */
  readonly #pending = new Map<number, Map<DomainId, FlushRange[]>>();

  constructor(emit: CommandEmitter, context: DesignContext) {
    super(emit, { ...context, rangeInvalidation: false });
    this.#virtio = context.dialect === DIALECT.virtio;
    this.#leafs = new LeafBlocks(leafOrders(context));
  }

  override map(intent: MapIntent): void {
    if (!this.#virtio) {
      this.#leafs.map(intent.domain, intent.first, intent.last, intent.offset);
      super.map(intent);
      return;
    }
    eachPage(intent.first, intent.last, (first, last) => super.map({ ...intent, first, last }));
  }

  override unmap(intent: UnmapIntent): void {
    const { domain, first, last, freedTable } = intent;
    if (this.#virtio) {
      eachPage(first, last, (from, to) => super.unmap({ ...intent, first: from, last: to }));
      return;
    }
    this.flush.defer(intent);
    const key = submitter(intent.cpu, intent.task);
    let byDomain = this.#pending.get(key);
    if (byDomain === undefined) {
      byDomain = new Map();
      this.#pending.set(key, byDomain);
    }
    let pending = byDomain.get(domain);
    if (pending === undefined) {
      pending = [];
      byDomain.set(domain, pending);
    }
    this.#leafs.unmap(domain, first, last, freedTable, pending);
  }

  override sync(domain: DomainId, cpu: number, task: number, time: number): void {
    if (this.#virtio) {
      super.sync(domain, cpu, task, time);
      return;
    }
    const pending = this.#pending.get(submitter(cpu, task))?.get(domain);
    if (pending === undefined || pending.length === 0) return;
    const leaves: FlushRange[] = [];
    for (const { first, last, freedTable, order } of pending.splice(0)) {
      if ((last - first + 1) / 2 ** order + leaves.length > MOST_COMMANDS) {
        this.flush.all(domain);
        return;
      }
      for (let page = first; page <= last; page += 2 ** order) {
        leaves.push({ first: page, last: page + 2 ** order - 1, freedTable, order });
      }
    }
    this.flush.ranges(domain, leaves);
  }
}

/** Page by page; what lies behind the bound goes in one piece. */
function eachPage(first: PageNumber, last: PageNumber, one: (first: PageNumber, last: PageNumber) => void): void {
  const end = Math.min(last, first + MOST_COMMANDS - 1);
  for (let page = first; page < end; page++) one(page, page);
  one(end, last);
}

export const perPage: DesignFactory = {
  name: 'per-page',
  summary: 'strict without range commands: one for each 4 KiB page or larger leaf, and each unmap waits',
  promise: 'before-return',
  parameters: [],
  create: (emit, context) => new PerPage(emit, context),
};
