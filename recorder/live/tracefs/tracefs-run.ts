import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { IorrError } from '../../../traces/errors.ts';
import { STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT, highWord, lowWord } from '../../../traces/units.ts';
import { EventDecoder } from '../../ftrace/event-decoder.ts';
import type { EventFormat } from '../../ftrace/event-format.ts';
import { EventOutput } from '../../ftrace/event-output.ts';
import type { SubBufferLayout } from '../../ftrace/ring-buffer.ts';
import { machineOf } from '../../ftrace/syscall-names.ts';
import type { LiveFacts, LiveRun, LiveSink, LiveState } from '../live-source.ts';
import type { System } from '../system.ts';
import { CpuMerge } from './cpu-merge.ts';
import { CpuPages } from './cpu-pages.ts';
import type { DrainTask } from './drain-worker.ts';
import type { RingBuffers } from './instance.ts';
import { PageExchange, allocateExchange } from './page-exchange.ts';

/**
 * An event is stamped before it is written, and a virtual CPU may be held up in between: one that comes so much later than
 * others of its time is still put into its place.
 */
const SETTLE_NS = 1_000_000;
/**
 * Events decoded before timers and signals have their turn. Reading the kernel's buffers is another thread's: a recorder that
 * falls behind has its backlog in its own memory, not in buffers that overflow.
 */
const SLICE = 16_384;
/** Bytes of that backlog at most. What comes on top stays with the kernel, which counts what it must drop. */
const MAX_BACKLOG = 512 * 1024 * 1024;
/** A reading thread that was asked to end has this long where nothing can be awaited. */
const LAST_WAIT_MS = 500;

function workerUrl(): URL {
  const built = import.meta.url.endsWith('.js');
  const path = built ? './drain-worker.js' : '../../../dist/recorder/live/tracefs/drain-worker.js';
  return new URL(path, import.meta.url);
}

function backlogBytes(system: System): number {
  const kb = /^MemAvailable:\s+(\d{1,12}) kB/m.exec(system.read('/proc/meminfo') ?? '')?.[1];
  return kb === undefined ? MAX_BACKLOG : Math.min(MAX_BACKLOG, Number(kb) * 256);
}

/** A CPU's buffer of one instance, and its sub-buffers. */
interface Pipe {
  readonly buffers: RingBuffers;
  readonly pages: CpuPages;
  /** Events that this recording's lost rows stand for. */
  told: number;
}

/** Brings the events of the CPUs of one or more instances into one order, and decodes them. */
export class TracefsRun implements LiveRun {
  readonly #instances: readonly RingBuffers[];
  readonly #bufferBytes: number;
  readonly #target: LiveSink;
  readonly #epoch: bigint;
  readonly #pages: PageExchange;
  readonly #pipes: readonly Pipe[];
  readonly #merge: CpuMerge<CpuPages>;
  readonly #output: EventOutput;
  readonly #decoder: EventDecoder;
  readonly #monotonic: boolean;
  /** All events of before this time were decoded. */
  horizon = Number.NEGATIVE_INFINITY;
  #subBuffers = 0;
  #lastTime = 0;

  constructor(
    system: System,
    instances: readonly RingBuffers[],
    layout: SubBufferLayout,
    formats: readonly EventFormat[],
    target: LiveSink,
    bufferBytes: number,
  ) {
    this.#instances = instances;
    this.#bufferBytes = bufferBytes;
    this.#target = target;
    const { clock } = target.header;
    this.#monotonic = clock.name === 'mono';
    this.#epoch = BigInt(clock.epochNs);
    const epoch = { lo: lowWord(this.#epoch), hi: highWord(this.#epoch) };
    this.#output = new EventOutput(target.sink, target.health, 'tracefs', target.source);
    const machine = machineOf(system.architecture);
    this.#decoder = new EventDecoder(formats, this.#output, {
      littleEndian: layout.littleEndian,
      machine,
      // All of them were asked for.
      keepOthers: true,
    });
    const memory = allocateExchange(layout.bytes, backlogBytes(system));
    const pages = new PageExchange(memory);
    this.#pages = pages;
    this.#pipes = instances.flatMap((buffers) =>
      buffers.cpus().map((cpu) => ({ buffers, pages: new CpuPages(cpu, pages, layout, epoch), told: 0 })),
    );
    const streams = this.#pipes.map((pipe) => pipe.pages);
    this.#merge = new CpuMerge(streams, (pipe, time) => this.#emit(pipe, time));
    const paths = this.#pipes.map(({ buffers, pages: { cpu } }) => buffers.pipe(cpu));
    const workerData: DrainTask = { pages: memory, paths };
    const worker = new Worker(workerUrl(), { workerData });
    worker.on('error', () => pages.setDone(true));
    worker.unref();
  }

  /** Waits until the reading thread has all streams open. Throws `IorrError` RECORDING_FAILED. */
  async ready(): Promise<void> {
    while (!this.#pages.ready) {
      this.#check();
      await sleep(1);
    }
  }

  poll(): boolean {
    this.#check();
    // Asked for first: what is later than this may not be here yet.
    const horizon = Number(this.#pages.readHorizon() - this.#epoch) - SETTLE_NS;
    this.#take();
    const more = this.#decode(this.#monotonic ? horizon : Number.POSITIVE_INFINITY);
    this.horizon = more ? this.#lastTime : horizon;
    return more;
  }

  state(): LiveState {
    let lost = 0;
    let fill = this.#pages.fill;
    for (const { buffers, pages, told } of this.#pipes) {
      const stats = buffers.stats(pages.cpu);
      lost += Math.max(told, lostBy(stats));
      fill = Math.max(fill, Math.min(1, stats.bytes / this.#bufferBytes));
    }
    return { lost, fill };
  }

  async stop(): Promise<LiveFacts> {
    for (const instance of this.#instances) instance.switchOff();
    this.#pages.stop();
    for (let more = true; more; ) {
      const { done } = this.#pages;
      this.#take();
      const limit = done ? Number.POSITIVE_INFINITY : Number(this.#pages.readHorizon() - this.#epoch) - SETTLE_NS;
      more = this.#decode(limit) || !done;
      // A backlog takes seconds; signals have their turn.
      await (done ? turn() : sleep(1));
    }
    this.#decoder.finish();
    const lost = this.#tellRest();
    this.#damage();
    this.abandon();
    const { backwards, farthestBack } = this.#merge;
    return {
      taken: this.#decoder.records,
      lost,
      notes: {
        subBuffers: this.#subBuffers,
        readingCpuNs: this.#pages.cpuNs,
        ...(backwards === 0 ? {} : { clockWentBack: { events: backwards, mostNs: farthestBack } }),
      },
    };
  }

  abandon(): void {
    this.#pages.stop();
    this.#pages.awaitDone(LAST_WAIT_MS);
    for (const instance of this.#instances) instance.remove();
  }

  #take(): void {
    const pipes = this.#pipes;
    this.#subBuffers += this.#pages.takeFull((slot, cpu) => pipes[cpu]?.pages.add(slot));
  }

  /** Decodes a slice of what is there; true if there may be more. */
  #decode(limit: number): boolean {
    const more = this.#merge.run(limit, SLICE) === SLICE;
    this.#output.settle();
    return more;
  }

  #check(): void {
    if (!this.#pages.failed) return;
    throw new IorrError('RECORDING_FAILED', "the kernel's buffers can't be read any more", {
      place: { file: this.#instances[0]?.folder ?? '' },
      hint: 'did somebody remove the trace instance?',
    });
  }

  #emit(pipe: CpuPages, time: number): void {
    if (pipe.missed !== 0) {
      // The kernel could not store how many: at least one, the rest is told at the end.
      const from = this.#pipes.find(({ pages }) => pages === pipe);
      if (from !== undefined) this.#tell(from, time, pipe.missed < 0 ? 1 : pipe.missed);
      pipe.missed = 0;
    }
    this.#lastTime = time;
    this.#decoder.decode(pipe.reader, time, pipe.cpu);
  }

  #tell(pipe: Pipe, time: number, count: number): void {
    pipe.told += count;
    const { sink, source } = this.#target;
    this.#output.settle();
    const row = sink.begin(STREAM_ID.lost, time, pipe.pages.cpu, ABSENT, source);
    const { columns } = sink.rows.lost;
    columns.countLo[row] = count | 0;
    columns.countHi[row] = Math.floor(count / 4294967296);
  }

  /** What the kernel's own account has beyond what sub-buffers told; returns all that was lost. */
  #tellRest(): number {
    const { health } = this.#target;
    let sum = 0;
    for (const pipe of this.#pipes) {
      const { cpu } = pipe.pages;
      const rest = lostBy(pipe.buffers.stats(cpu)) - pipe.told;
      if (rest > 0) this.#tell(pipe, this.#lastTime, rest);
      if (pipe.told > 0) health.add('lost', 'ring buffer full', `CPU ${cpu}`, pipe.told);
      sum += pipe.told;
    }
    return sum;
  }

  #damage(): void {
    for (const { cpu, damaged, damage } of this.#pipes.map(({ pages }) => pages)) {
      if (damaged > 0) this.#target.health.add('malformed', `sub-buffer: ${damage}`, `CPU ${cpu}`, damaged);
    }
  }
}

function lostBy({ overrun, commitOverrun, dropped }: ReturnType<RingBuffers['stats']>): number {
  return overrun + commitOverrun + dropped;
}
