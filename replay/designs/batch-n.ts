import type { DomainId, Nanoseconds } from '../../traces/units.ts';
import type { CommandEmitter, DesignContext, DesignFactory, MapIntent, UnmapIntent } from './design.ts';
import type { FlushRange } from './domain-flush.ts';
import { flushMix } from './flush-mix.ts';
import { LeafBlocks } from './leaf-blocks.ts';
import { leafOrders } from './leaf-orders.ts';
import { LinuxStrict } from './linux-strict.ts';

interface BatchParameters {
  readonly size: number;
  readonly timeoutNs: Nanoseconds;
  /** Range commands of one flush at most; from there on the whole domain goes. */
  readonly commands: number;
}

interface Batch {
  readonly domain: DomainId;
  readonly timer: number;
  ranges: FlushRange[];
  /** What `CommandEmitter.defer` returned for each. */
  held: number[];
  due: Nanoseconds;
}

/** Collects the unmaps of a CPU in a domain and flushes n of them at once, by ranges where those are few. */
class BatchN extends LinuxStrict {
  readonly #emit: CommandEmitter;
  readonly #context: DesignContext;
  readonly #parameters: BatchParameters;
  readonly #leafs: LeafBlocks;
  readonly #unmanaged = new Set<DomainId>();
  readonly #batches = new Map<DomainId, Map<number, Batch>>();
  readonly #byTimer: Batch[] = [];

  constructor(emit: CommandEmitter, context: DesignContext, parameters: BatchParameters) {
    super(emit, context);
    this.#emit = emit;
    this.#context = context;
    this.#parameters = parameters;
    this.#leafs = new LeafBlocks(leafOrders(context));
  }

  override setManaged(domain: DomainId, managed: boolean): void {
    if (managed) this.#unmanaged.delete(domain);
    else this.#unmanaged.add(domain);
  }

  override map(intent: MapIntent): void {
    this.#leafs.map(intent.domain, intent.first, intent.last, intent.offset);
    super.map(intent);
  }

  override unmap(intent: UnmapIntent): void {
    const { domain, cpu, first, last, freedTable, time } = intent;
    if (this.#unmanaged.has(domain)) {
      super.unmap(intent);
      return;
    }
    this.flush.defer(intent);
    const batch = this.#batch(domain, cpu);
    this.#leafs.unmap(domain, first, last, freedTable, batch.ranges);
    batch.held.push(this.#emit.defer(domain, first, last));
    if (batch.held.length >= this.#parameters.size) this.#close(batch);
    else if (batch.held.length === 1) {
      batch.due = time + this.#parameters.timeoutNs;
      this.#emit.arm(batch.timer, batch.due);
    }
  }

  override sync(domain: DomainId, cpu: number, task: number, time: Nanoseconds): void {
    if (this.#unmanaged.has(domain)) super.sync(domain, cpu, task, time);
  }

  override expire(timer: number, time: Nanoseconds): void {
    const batch = this.#byTimer[timer];
    // one that was armed for a batch which went when it was full says nothing of the next
    if (batch !== undefined && batch.ranges.length > 0 && time >= batch.due) this.#close(batch);
  }

  #close(batch: Batch): void {
    const mix = flushMix(batch.ranges, this.#context, this.#parameters.commands);
    if (mix === undefined) this.flush.all(batch.domain);
    else this.flush.ranges(batch.domain, mix);
    batch.ranges = [];
    for (const held of batch.held) this.#emit.release(held);
    batch.held = [];
  }

  #batch(domain: DomainId, cpu: number): Batch {
    let byCpu = this.#batches.get(domain);
    if (byCpu === undefined) {
      byCpu = new Map();
      this.#batches.set(domain, byCpu);
    }
    let batch = byCpu.get(cpu);
    if (batch === undefined) {
      batch = { domain, timer: this.#byTimer.length, ranges: [], held: [], due: 0 };
      this.#byTimer.push(batch);
      byCpu.set(cpu, batch);
    }
    return batch;
  }
}

export const batchN: DesignFactory = {
  name: 'batch-n',
  summary: 'collect n unmaps of a CPU in a domain, then one flush: by ranges where they are few, else the whole domain',
  promise: 'before-reuse',
  parameters: [
    {
      name: 'batch-n.size',
      value: 32,
      unit: 'unmaps',
      source: 'a guess between one and a flush queue; batch-n@8,batch-n@128 stand side by side',
      standing: 'assumed',
      range: [1, 1 << 16],
    },
    {
      name: 'batch-n.timeout',
      value: 1,
      unit: 'ms',
      source: 'a tenth of the flush queue of Linux',
      standing: 'assumed',
      range: [0.001, 600_000],
    },
    {
      name: 'batch-n.commands',
      value: 16,
      unit: 'commands',
      source: 'drivers/iommu/intel/iommu.h, QI_MAX_BATCHED_DESC_COUNT: what goes with one wait',
      standing: 'published',
      range: [0, 4096],
    },
  ],
  create: (emit, context, parameter) =>
    new BatchN(emit, context, {
      size: parameter('batch-n.size'),
      timeoutNs: parameter('batch-n.timeout') * 1e6,
      commands: parameter('batch-n.commands'),
    }),
};
