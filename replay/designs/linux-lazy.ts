import type { DomainId, Nanoseconds } from '../../traces/units.ts';
import type { CommandEmitter, DesignContext, DesignFactory, DesignParameter, UnmapIntent } from './design.ts';
import { FlushQueue, RING_SIZE } from './flush-queue.ts';
import { LinuxStrict } from './linux-strict.ts';

/** What `linux-lazy` can be given, in the units of its parameter table. */
export interface LazyParameters {
  readonly size: number;
  readonly timeoutNs: Nanoseconds;
  readonly tickNs: Nanoseconds;
  /** One queue for all CPUs, as systems with slow flushes have it (IOMMU_DMA_OPTS_SINGLE_QUEUE); absent: one each. */
  readonly single?: boolean;
}

/**
 * When a timer armed at `time` runs out: `timeout` rounded up to ticks, plus the tick in progress and one of the timer wheel's
 * rounding (kernel/time/timer.c, calc_index). With HZ=250 and 10 ms: 12 to 16 ms after arming.
 */
export function timerExpiry(time: Nanoseconds, timeoutNs: Nanoseconds, tickNs: Nanoseconds): Nanoseconds {
  return (Math.floor(time / tickNs) + Math.ceil(timeoutNs / tickNs) + 1) * tickNs;
}

/**
 * Linux with `iommu.strict=0`, its default: unmaps of the DMA API are queued per domain and CPU and flushed together, when a
 * ring is full or 10 ms after the first (drivers/iommu/dma-iommu.c). Domains that user space owns are flushed as in strict.
 */
export class LinuxLazy extends LinuxStrict {
  readonly #emit: CommandEmitter;
  readonly #parameters: LazyParameters;
  readonly #queues = new Map<DomainId, FlushQueue>();
  readonly #unmanaged = new Set<DomainId>();
  /** Flushes so far because a ring was full. */
  fullRings = 0;

  constructor(emit: CommandEmitter, context: DesignContext, parameters: LazyParameters) {
    super(emit, context);
    this.#emit = emit;
    this.#parameters = parameters;
  }

  override setManaged(domain: DomainId, managed: boolean): void {
    if (managed) this.#unmanaged.delete(domain);
    else this.#unmanaged.add(domain);
  }

  override unmap(intent: UnmapIntent): void {
    const { domain, time } = intent;
    const cpu = this.#parameters.single === true ? 0 : intent.cpu;
    if (this.#unmanaged.has(domain)) {
      super.unmap(intent);
      return;
    }
    this.flush.defer(intent);
    const queue = this.#queue(domain);
    if (queue.mustFlush(cpu)) {
      this.fullRings++;
      this.#flushAll(domain, queue);
    }
    queue.add(cpu, this.#emit.defer(domain, intent.first, intent.last));
    if (queue.timerOn) return;
    queue.timerOn = true;
    this.#emit.arm(domain, timerExpiry(time, this.#parameters.timeoutNs, this.#parameters.tickNs));
  }

  override sync(domain: DomainId, cpu: number, task: number, time: Nanoseconds): void {
    if (this.#unmanaged.has(domain)) super.sync(domain, cpu, task, time);
  }

  override expire(timer: number, _time: Nanoseconds): void {
    if (this.#queues.get(timer)?.timerOn === true) this.flushNow(timer);
  }

  /** What the timer does. A verification calls it where a timer's flush was recorded, so that the model never drifts. */
  flushNow(domain: DomainId): void {
    const queue = this.#queue(domain);
    queue.timerOn = false;
    this.#flushAll(domain, queue);
    queue.releaseAll();
  }

  /** What a full ring does, for a verification that knows of a full ring what the model can't know. */
  flushFull(domain: DomainId): void {
    this.#flushAll(domain, this.#queue(domain));
  }

  #queue(domain: DomainId): FlushQueue {
    let queue = this.#queues.get(domain);
    if (queue === undefined) {
      queue = new FlushQueue(this.#parameters.size, (entry) => this.#emit.release(entry));
      this.#queues.set(domain, queue);
    }
    return queue;
  }

  /** Ranges queued on a CPU. */
  queued(domain: DomainId, cpu: number): number {
    return this.#queues.get(domain)?.held(cpu) ?? 0;
  }

  /** The next unmap of this CPU in the domain will find its ring full. */
  isFull(domain: DomainId, cpu: number): boolean {
    return this.#queues.get(domain)?.mustFlush(cpu) === true;
  }

  #flushAll(domain: DomainId, queue: FlushQueue): void {
    this.flush.all(domain);
    queue.flushed();
  }
}

/** Rate of the timer wheel that flush queues run on. */
export function hzParameter(name: string): DesignParameter {
  return {
    name,
    value: 250,
    unit: 'Hz',
    source:
      'CONFIG_HZ of common distribution kernels; the timer wheel adds up to two ticks, recorded flushes came after 13 to 21 ms',
    standing: 'assumed',
    range: [1, 10_000],
  };
}

export const linuxLazy: DesignFactory = {
  name: 'linux-lazy',
  summary: 'queue unmaps per CPU, flush the whole domain when a ring of 255 is full or after 10 ms',
  promise: 'before-reuse',
  parameters: [
    {
      name: 'linux-lazy.size',
      value: RING_SIZE,
      unit: 'slots',
      source: 'drivers/iommu/dma-iommu.c, IOVA_DEFAULT_FQ_SIZE; one slot stays free',
      standing: 'published',
      range: [2, 1 << 20],
    },
    {
      name: 'linux-lazy.timeout',
      value: 10,
      unit: 'ms',
      source: 'drivers/iommu/dma-iommu.c, IOVA_DEFAULT_FQ_TIMEOUT',
      standing: 'published',
      range: [1, 600_000],
    },
    hzParameter('linux-lazy.hz'),
  ],
  create: (emit, context, parameter) =>
    new LinuxLazy(emit, context, {
      size: parameter('linux-lazy.size'),
      timeoutNs: parameter('linux-lazy.timeout') * 1e6,
      tickNs: Math.round(1e9 / parameter('linux-lazy.hz')),
    }),
};
