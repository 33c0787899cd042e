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
import type { LiveFacts, LiveRun, LiveSink } from '../live-source.ts';
import type { System } from '../system.ts';
import { CpuMerge } from './cpu-merge.ts';
import { CpuPages } from './cpu-pages.ts';
import type { DrainTask } from './drain-worker.ts';
import type { TraceInstance } from './instance.ts';
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

/** Brings the events of an instance's CPUs into one order, and decodes them. */
export class TracefsRun implements LiveRun {
  readonly #instance: TraceInstance;
  readonly #target: LiveSink;
  readonly #epoch: bigint;
  readonly #pages: PageExchange;
  readonly #pipes: readonly CpuPages[];
  readonly #merge: CpuMerge<CpuPages>;
  readonly #output: EventOutput;
  readonly #decoder: EventDecoder;
  readonly #monotonic: boolean;
  /** Events that this recording's lost rows stand for, per position in `#pipes`. */
  readonly #told: number[];
  #subBuffers = 0;
  #lastTime = 0;

  constructor(
    system: System,
    instance: TraceInstance,
    layout: SubBufferLayout,
    formats: readonly EventFormat[],
    target: LiveSink,
  ) {
    this.#instance = instance;
    this.#target = target;
    const { clock } = target.header;
    this.#monotonic = clock.name === 'mono';
    this.#epoch = BigInt(clock.epochNs);
    const epoch = { lo: lowWord(this.#epoch), hi: highWord(this.#epoch) };
    this.#output = new EventOutput(target.sink, target.health, 'tracefs', target.source);
    const machine = machineOf(system.architecture);
    this.#decoder = new EventDecoder(formats, this.#output, { littleEndian: layout.littleEndian, machine });
    const cpus = instance.cpus(system);
    const memory = allocateExchange(layout.bytes, backlogBytes(system));
    const pages = new PageExchange(memory);
    this.#pages = pages;
    this.#pipes = cpus.map((cpu) => new CpuPages(cpu, pages, layout, epoch));
    this.#told = cpus.map(() => 0);
    this.#merge = new CpuMerge(this.#pipes, (pipe, time) => this.#emit(pipe, time));
    const workerData: DrainTask = { pages: memory, paths: cpus.map((cpu) => instance.pipe(cpu)) };
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
    return this.#merge.run(this.#monotonic ? horizon : Number.POSITIVE_INFINITY, SLICE) === SLICE;
  }

  async stop(): Promise<LiveFacts> {
    this.#instance.switchOff();
    this.#pages.stop();
    for (let more = true; more; ) {
      const { done } = this.#pages;
      this.#take();
      const limit = done ? Number.POSITIVE_INFINITY : Number(this.#pages.readHorizon() - this.#epoch) - SETTLE_NS;
      more = this.#merge.run(limit, SLICE) === SLICE || !done;
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
    this.#instance.remove();
  }

  #take(): void {
    const pipes = this.#pipes;
    this.#subBuffers += this.#pages.takeFull((slot, cpu) => pipes[cpu]?.add(slot));
  }

  #check(): void {
    if (!this.#pages.failed) return;
    throw new IorrError('RECORDING_FAILED', "the kernel's buffers can't be read any more", {
      place: { file: this.#instance.folder },
      hint: 'did somebody remove the trace instance?',
    });
  }

  #emit(pipe: CpuPages, time: number): void {
    if (pipe.missed !== 0) {
      // The kernel could not store how many: at least one, the rest is told at the end.
      this.#tell(pipe, time, pipe.missed < 0 ? 1 : pipe.missed);
      pipe.missed = 0;
    }
    this.#lastTime = time;
    this.#decoder.decode(pipe.reader, this.#pages.bytes, time, pipe.cpu);
  }

  #tell(pipe: CpuPages, time: number, count: number): void {
    const at = this.#pipes.indexOf(pipe);
    this.#told[at] = (this.#told[at] ?? 0) + count;
    const { sink, source } = this.#target;
    const row = sink.begin(STREAM_ID.lost, time, pipe.cpu, ABSENT, source);
    const { columns } = sink.rows.lost;
    columns.countLo[row] = count | 0;
    columns.countHi[row] = Math.floor(count / 4294967296);
  }

  /** What the kernel's own account has beyond what sub-buffers told; returns all that was lost. */
  #tellRest(): number {
    const { health } = this.#target;
    let sum = 0;
    this.#pipes.forEach((pipe, at) => {
      const { overrun, commitOverrun, dropped } = this.#instance.stats(pipe.cpu);
      const rest = overrun + commitOverrun + dropped - (this.#told[at] ?? 0);
      if (rest > 0) this.#tell(pipe, this.#lastTime, rest);
      const lost = this.#told[at] ?? 0;
      if (lost > 0) health.add('lost', 'ring buffer full', `CPU ${pipe.cpu}`, lost);
      sum += lost;
    });
    return sum;
  }

  #damage(): void {
    for (const { cpu, damaged, damage } of this.#pipes) {
      if (damaged > 0) this.#target.health.add('malformed', `sub-buffer: ${damage}`, `CPU ${cpu}`, damaged);
    }
  }
}
