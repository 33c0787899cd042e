import { setImmediate as turn } from 'node:timers/promises';
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
import { CpuPipe } from './cpu-pipe.ts';
import type { TraceInstance } from './instance.ts';

/**
 * An event is stamped before it is written, and a virtual CPU may be held up in between: one that comes so much later than
 * others of its time is still put into its place.
 */
const SETTLE_NS = 1_000_000;
/** Sub-buffers taken from one CPU before the others have their turn. */
const ROUND = 64;
/**
 * Events decoded before the kernel's buffers are looked after again. Taking them from there costs a tenth of decoding and
 * encoding them: a recorder that falls behind has its backlog in its own memory, not in buffers that overflow.
 */
const SLICE = 16_384;
/** Bytes of that backlog at most. What comes on top stays with the kernel, which counts what it must drop. */
const MAX_BACKLOG = 512 * 1024 * 1024;

/** Reads the sub-buffers of an instance's CPUs, brings their events into one order, and decodes them. */
export class TracefsRun implements LiveRun {
  readonly #instance: TraceInstance;
  readonly #target: LiveSink;
  readonly #epoch: bigint;
  readonly #pipes: readonly CpuPipe[];
  readonly #merge: CpuMerge<CpuPipe>;
  readonly #output: EventOutput;
  readonly #decoder: EventDecoder;
  readonly #monotonic: boolean;
  /** Events that this recording's lost rows stand for, per position in `#pipes`. */
  readonly #told: number[];
  readonly #maxWaiting: number;
  #pages = 0;
  #deepest = 0;
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
    const pipes: CpuPipe[] = [];
    try {
      for (const cpu of instance.cpus(system)) pipes.push(new CpuPipe(cpu, instance.pipe(cpu), layout, epoch));
    } catch (error) {
      for (const pipe of pipes) pipe.close();
      throw error;
    }
    this.#pipes = pipes;
    this.#told = pipes.map(() => 0);
    this.#maxWaiting = Math.max(pipes.length, Math.floor(MAX_BACKLOG / layout.bytes));
    this.#merge = new CpuMerge(pipes, (pipe, time) => this.#emit(pipe, time));
  }

  poll(): boolean {
    // Taken before reading: what comes later than this is not missed where a CPU has nothing.
    const now = this.#monotonic ? Number(process.hrtime.bigint() - this.#epoch) - SETTLE_NS : Number.POSITIVE_INFINITY;
    const drained = this.#take();
    return this.#merge.run(now, SLICE) === SLICE || !drained;
  }

  async stop(): Promise<LiveFacts> {
    this.#instance.switchOff();
    for (let more = true; more; ) {
      const drained = this.#take();
      more = this.#merge.run(Number.POSITIVE_INFINITY, SLICE) === SLICE || !drained;
      // A backlog takes seconds; signals have their turn.
      await turn();
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
        subBuffers: this.#pages,
        backlogSubBuffers: this.#deepest,
        ...(backwards === 0 ? {} : { clockWentBack: { events: backwards, mostNs: farthestBack } }),
      },
    };
  }

  abandon(): void {
    for (const pipe of this.#pipes) pipe.close();
    this.#instance.remove();
  }

  /** Takes what the kernel has, as far as there is room. True if that was all. */
  #take(): boolean {
    let waiting = 0;
    for (const pipe of this.#pipes) waiting += pipe.waiting;
    let drained = true;
    for (const pipe of this.#pipes) {
      // One that has nothing holds up all others: it may always have one more.
      const room = Math.max(pipe.live ? 0 : 1, Math.min(ROUND, this.#maxWaiting - waiting));
      const count = pipe.fill(room);
      drained &&= pipe.drained;
      waiting += count;
      this.#pages += count;
    }
    this.#deepest = Math.max(this.#deepest, waiting);
    return drained;
  }

  #emit(pipe: CpuPipe, time: number): void {
    if (pipe.missed !== 0) {
      // The kernel could not store how many: at least one, the rest is told at the end.
      this.#tell(pipe, time, pipe.missed < 0 ? 1 : pipe.missed);
      pipe.missed = 0;
    }
    this.#lastTime = time;
    this.#decoder.decode(pipe.reader, pipe.bytes, time, pipe.cpu);
  }

  #tell(pipe: CpuPipe, time: number, count: number): void {
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
