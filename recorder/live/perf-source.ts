import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { IorrError } from '../../traces/errors.ts';
import { EVENT_FIDELITY } from '../ftrace/trace-facts.ts';
import { GrowingSource } from '../import/perf-data/growing-source.ts';
import { PerfDataRun } from '../import/perf-data/perf-data-run.ts';
import { pipedHeadState } from '../import/perf-data/perf-file.ts';
import { limited, missing, ok } from './check.ts';
import type { Check } from './check.ts';
import type { LiveFacts, LiveHeader, LiveOptions, LiveRun, LiveSink, LiveSource, LiveTarget } from './live-source.ts';
import { tasksOfTree } from './process-tree.ts';
import type { System } from './system.ts';
import { checkPerf } from './tool-checks.ts';
import { selectEvents } from './tracefs/event-selection.ts';
import { mountTracefs, tracefsOf } from './tracefs/mount.ts';

/** perf has this long to open its events; some kernels have a thousand of them, on hundreds of CPUs. */
const START_MS = 60_000;
const STOP_MS = 10_000;
/** perf hands over what its buffers hold when they are half full, and when it is asked anything. */
const ASK_MS = 300;
/** Bytes that wait to be decoded; what comes on top stays with perf, and then with the kernel, which counts what it drops. */
const MAX_HELD = 64 * 1024 * 1024;
/** Buffer of each CPU, where none was asked for. Others than root get what kernel.perf_event_mlock_kb allows. */
const CPU_BUFFER_BYTES = 32 * 1024 * 1024;
const PAGE_BYTES = 4096;
/** Its two descriptors for orders and their receipts. */
const CONTROL = 3;
const RECEIPT = 4;

class PerfRun implements LiveRun {
  readonly #child: ChildProcess;
  readonly #sink: LiveSink;
  readonly #source = new GrowingSource('perf');
  #reader: PerfDataRun | undefined;
  #over = false;
  #ended = false;
  #receipts = '';
  #stderr = '';
  #asked = 0;

  constructor(child: ChildProcess, sink: LiveSink) {
    this.#child = child;
    this.#sink = sink;
    child.stdout?.on('data', (chunk: Uint8Array) => {
      this.#source.add(chunk);
      if (this.#source.held > MAX_HELD) child.stdout?.pause();
    });
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4096);
    });
    (child.stdio[RECEIPT] as Readable).on('data', (chunk: Buffer) => {
      this.#receipts = (this.#receipts + chunk.toString('latin1')).slice(-64);
    });
    // It ends when it likes; writing to it then is no failure of ours.
    for (const at of [CONTROL, RECEIPT]) (child.stdio[at] as Readable | Writable).on('error', () => {});
    child.on('error', () => {
      this.#over = true;
    });
    child.on('close', () => {
      this.#over = true;
    });
  }

  /** Switches the events on. Throws `IorrError` RECORDING_FAILED. */
  async begin(): Promise<void> {
    this.#order('enable');
    const until = performance.now() + START_MS;
    while (!this.#receipts.includes('ack')) {
      if (this.#over || performance.now() > until) {
        const reason = this.#stderr
          .trim()
          .split('\n')
          .filter((line) => line.trim() !== '')
          .slice(0, 3)
          .join(' ');
        throw new IorrError('RECORDING_FAILED', `perf did not start: ${reason === '' ? 'it said nothing' : reason}`, {
          hint: 'iorr doctor says what this machine can record',
        });
      }
      await sleep(5);
    }
  }

  poll(): boolean {
    const now = performance.now();
    if (!this.#over && now - this.#asked >= ASK_MS) {
      this.#asked = now;
      this.#order('ping');
    }
    return this.#take();
  }

  async stop(): Promise<LiveFacts> {
    if (!this.#over) this.#child.kill('SIGINT');
    const until = performance.now() + STOP_MS;
    while (!this.#over && performance.now() < until) if (!this.#take()) await sleep(5);
    while (this.#take());
    this.#reader?.settle();
    const facts = this.#reader?.end();
    const lost = this.#reader?.lost ?? 0;
    this.abandon();
    return { taken: facts?.lines ?? 0, lost, notes: facts?.notes ?? {} };
  }

  abandon(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#over) this.#child.kill('SIGTERM');
    (this.#child.stdio[CONTROL] as Writable).destroy();
  }

  #take(): boolean {
    if (this.#child.stdout?.isPaused() === true) this.#child.stdout.resume();
    if (this.#reader === undefined) {
      if (pipedHeadState(this.#source) !== 'whole') return false;
      const { producer, clock, fidelity } = this.#sink.header;
      const header = { source: { format: 'perf', producer }, host: {}, clock, fidelity };
      this.#reader = new PerfDataRun({ ...this.#sink, file: 'perf', header }, this.#source, true);
    }
    const more = this.#reader.step();
    this.#source.drop(this.#reader.position);
    return more;
  }

  #order(command: 'enable' | 'ping'): void {
    (this.#child.stdio[CONTROL] as Writable).write(`${command}\n`);
  }
}

function checkEvents(system: System): Check {
  const name = 'events';
  const folder = tracefsOf(system);
  if (folder === undefined) return limited(name, 'not known yet', 'tracefs', '');
  if (system.list(`${folder}/events`).length > 0) return ok(name, `${folder}/events`);
  const grant = `root: mount -o remount,gid=GROUP,mode=0750 ${folder}, with GROUP one of yours`;
  return missing(name, `${folder} may not be read: perf finds no events`, grant, 'iorr record --source strace -- CMD');
}

export const perfSource: LiveSource = {
  name: 'perf',
  description: "the kernel's trace events by perf, where its events are allowed and tracefs may only be read",
  sees: 'what tracefs sees, in buffers of perf: maps, unmaps, DMA API calls, commands of VT-d, ioctls without their structs',
  misses: 'what tracefs misses; of -- CMD and --pid, also what interrupts and kernel threads do for them',

  probe: (system) => [checkPerf(system), checkEvents(system)],

  describe(system, options): LiveHeader {
    const failing = [checkPerf(system), checkEvents(system)].find(({ state }) => state === 'missing');
    if (failing !== undefined) {
      const hint = `${failing.needs}. Or: ${failing.instead}`;
      throw new IorrError('RECORDING_FAILED', `${failing.name}: ${failing.found}`, { hint });
    }
    const partly = (): LiveHeader['fidelity'] =>
      Object.fromEntries(Object.keys(EVENT_FIDELITY).map((stream) => [stream, 'partial']));
    return {
      producer: `perf on Linux ${system.kernel}`,
      clock: { epochNs: String(process.hrtime.bigint()), name: 'mono', resolutionNs: 1 },
      fidelity: { ...(options.filtered ? partly() : EVENT_FIDELITY), lost: 'full' },
    };
  },

  async start(system, options, target, sink): Promise<LiveRun> {
    const tracefs = tracefsOf(system) ?? mountTracefs(system);
    if (tracefs === undefined) throw new IorrError('RECORDING_FAILED', 'there is no tracefs: perf finds no events');
    const events = selectEvents(system, tracefs, options.events).map((event) => `${event.system}:${event.name}`);
    if (events.length === 0) throw new IorrError('RECORDING_FAILED', 'this kernel has none of the events of IOMMUs');
    const args = perfArguments(system, options, target, events);
    const child = spawn(system.program('perf') ?? 'perf', args, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      // A session of its own: Ctrl-C is for the recorder.
      detached: true,
    });
    const run = new PerfRun(child, sink);
    try {
      await run.begin();
    } catch (error) {
      run.abandon();
      throw error;
    }
    return run;
  },
};

function perfArguments(
  system: System,
  options: LiveOptions,
  target: LiveTarget,
  events: readonly string[],
): readonly string[] {
  const asked = options.bufferBytes === undefined ? undefined : options.bufferBytes / system.cpus;
  const bytes = asked ?? (system.uid === 0 ? CPU_BUFFER_BYTES : undefined);
  return [
    'record',
    '--output=-',
    '--clockid=mono',
    '--count=1',
    '--delay=-1',
    `--control=fd:${CONTROL},${RECEIPT}`,
    '--no-buildid',
    '--no-buildid-cache',
    ...(bytes === undefined ? [] : [`--mmap-pages=${2 ** Math.max(2, Math.floor(Math.log2(bytes / PAGE_BYTES)))}`]),
    ...events.flatMap((event) => ['--event', event]),
    ...(target.kind === 'everybody' ? ['--all-cpus'] : [`--pid=${tasksOf(system, target.pids).join(',')}`]),
  ];
}

/** Processes with their children; children that come are followed. */
function tasksOf(system: System, pids: readonly number[]): readonly number[] {
  return pids.flatMap((pid) => {
    const tasks = tasksOfTree(system, pid);
    if (tasks.length > 0) return tasks;
    throw new IorrError('RECORDING_FAILED', `there is no process ${pid}`, { hint: 'name one that runs with --pid' });
  });
}
