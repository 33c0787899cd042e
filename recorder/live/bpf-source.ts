import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { closeSync, constants, openSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { IorrError } from '../../traces/errors.ts';
import { BpftraceLines } from './bpf/bpftrace-lines.ts';
import { bpftraceProgram } from './bpf/bpftrace-program.ts';
import { checkProbes, chooseProbes, probeLines } from './bpf/kernel-probes.ts';
import type { ProbeChoice } from './bpf/kernel-probes.ts';
import { KernelFunctions } from './btf/kernel-functions.ts';
import { limited, ok } from './check.ts';
import type { LiveFacts, LiveHeader, LiveOptions, LiveRun, LiveSink, LiveSource, LiveTarget } from './live-source.ts';
import { makePipe } from './named-pipe.ts';
import { tasksOfTree } from './process-tree.ts';
import type { System } from './system.ts';
import { checkBpftrace, checkBtf } from './tool-checks.ts';
import { mountTracefs, tracefsOf } from './tracefs/mount.ts';
import { checkTracefs } from './tracefs/tracefs-check.ts';

/** Compiling the program takes bpftrace a second or two; on a machine that is busy, or emulated in software, minutes. */
const START_MS = 300_000;
/** It has this long to hand over what it holds. */
const STOP_MS = 10_000;
/** Lines that wait to be taken. */
const MAX_WAITING = 262_144;

function linkOf(pid: number, fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/** What is known of a run before it begins. */
interface Known {
  /** The process that the recording begins with. */
  readonly root: number | undefined;
  readonly notes: LiveFacts['notes'];
}

/**
 * bpftrace runs a child that waits on a named pipe which we hold open: that it has opened the pipe says that all probes are
 * attached, and closing it ends bpftrace, also if this process is killed.
 */
class BpfRun implements LiveRun {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: BpftraceLines;
  readonly #notes: LiveFacts['notes'];
  readonly #waiting: string[] = [];
  #rest = '';
  #stderr = '';
  #over = false;
  #ended = false;
  #hold: number | undefined;

  constructor(child: ChildProcessWithoutNullStreams, sink: LiveSink, { root, notes }: Known) {
    this.#child = child;
    this.#notes = notes;
    const { health, source, header } = sink;
    const target = { sink: sink.sink, health, source, epoch: BigInt(header.clock.epochNs), root };
    this.#lines = new BpftraceLines(target, linkOf, () => process.hrtime.bigint(), probeLines(target));
    child.stdout.setEncoding('latin1');
    child.stdout.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#waiting.push(line);
      // What is not taken stays with bpftrace, and then with the kernel, which counts what it must drop.
      if (this.#waiting.length > MAX_WAITING) child.stdout.pause();
    });
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4096);
    });
    child.on('error', () => {
      this.#over = true;
    });
    // When both pipes are read to their end.
    child.on('close', () => {
      this.#over = true;
    });
  }

  /** Waits until all probes are attached. Throws `IorrError` RECORDING_FAILED. */
  async begin(pipe: string): Promise<void> {
    const until = performance.now() + START_MS;
    while (this.#hold === undefined) {
      if (this.#over || performance.now() > until) {
        this.abandon();
        const reason = this.#stderr.trim().split('\n').slice(-3).join('; ') || 'it said nothing';
        throw new IorrError('RECORDING_FAILED', `bpftrace did not start: ${reason}`, {
          hint: 'iorr doctor says what this machine can record',
        });
      }
      try {
        this.#hold = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
      } catch {
        // ENXIO: nobody reads it yet.
        await sleep(10);
      }
    }
  }

  get horizon(): number {
    return this.#lines.horizon;
  }

  poll(): boolean {
    const waiting = this.#waiting.splice(0);
    for (const line of waiting) if (line !== '') this.#lines.message(line);
    if (this.#child.stdout.isPaused()) this.#child.stdout.resume();
    return waiting.length > 0;
  }

  async stop(): Promise<LiveFacts> {
    // What happened up to now is on its way through bpftrace.
    this.#release();
    const until = performance.now() + STOP_MS;
    while (!this.#over && performance.now() < until) if (!this.poll()) await sleep(5);
    while (this.poll());
    this.#lines.end();
    this.abandon();
    const { lines, lost, late } = this.#lines;
    return { taken: lines, lost, notes: { ...this.#notes, ...(late === 0 ? {} : { lateLines: late }) } };
  }

  abandon(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#release();
    if (!this.#over) this.#child.kill('SIGTERM');
  }

  #release(): void {
    if (this.#hold !== undefined) closeSync(this.#hold);
    this.#hold = undefined;
  }
}

export const bpfSource: LiveSource = {
  name: 'bpf',
  description: 'ioctls of IOMMUFD, VFIO and vhost with what their structs hold, by a program for bpftrace',
  sees: 'each call with its struct before and after, memory that its pointers name, result, duration, file, process and thread; reads and writes of queues of faults and events',
  misses:
    'memory that is not resident (what a call writes there counts as zero before) or beyond the first 256 KiB of a pointer; structs beyond 4 KiB; inside the kernel only what the functions below tell',

  probe(system) {
    const tracefs = checkTracefs(system);
    const bpftrace = checkBpftrace(system);
    const folder = tracefsOf(system);
    const functions = checkProbes(new KernelFunctions(system));
    if (folder === undefined) return [bpftrace, tracefs, functions];
    const has = system.access(`${folder}/events/syscalls/sys_enter_ioctl`) !== 'absent';
    const events = has
      ? ok('events', 'syscalls:sys_enter_ioctl')
      : limited('events', 'no events of system calls', 'a kernel with CONFIG_FTRACE_SYSCALLS', '');
    return [bpftrace, tracefs, events, functions];
  },

  describe(system): LiveHeader {
    const failing = [checkBpftrace(system), checkTracefs(system)].find(({ state }) => state === 'missing');
    if (failing !== undefined) {
      const hint = `${failing.needs}. Or: ${failing.instead}`;
      throw new IorrError('RECORDING_FAILED', `${failing.name}: ${failing.found}`, { hint });
    }
    return {
      producer: 'bpftrace',
      clock: { epochNs: String(process.hrtime.bigint()), name: 'mono', resolutionNs: 1 },
      fidelity: {
        ...fidelityOf(chooseProbes(new KernelFunctions(system))),
        ioctl: 'full',
        call: 'partial',
        lost: 'full',
      },
    };
  },

  program(system, options, pids): string {
    const btf = checkBtf(system).state === 'ok';
    const types = options.requestTypes ?? [];
    const own = pids.length > 0 ? pids : undefined;
    // Places of fields and the number of CPUs are those of another machine there.
    const text = bpftraceProgram({ pids: own, cpus: 0, types, btf, probes: '', probeNames: [] });
    return `// root: BPFTRACE_PERF_RB_PAGES=4096 bpftrace -o calls.txt THIS_FILE; Ctrl-C; then: iorr import calls.txt -o calls.iorr\n${text}`;
  },

  async start(system, options, target, sink): Promise<LiveRun> {
    if (tracefsOf(system) === undefined) mountTracefs(system);
    const pids = target.kind === 'everybody' ? undefined : target.pids;
    const gone = pids?.find((pid) => tasksOfTree(system, pid).length === 0);
    if (gone !== undefined) {
      throw new IorrError('RECORDING_FAILED', `there is no process ${gone}`, { hint: 'name one that runs with --pid' });
    }
    const choice = chooseProbes(new KernelFunctions(system));
    try {
      return await run(system, options, target, sink, choice);
    } catch (error) {
      if (choice.program === '') throw error;
      // A function that can't be probed after all: some are marked so in the kernel itself.
      const reason = error instanceof IorrError ? error.message : 'an error';
      const found = choice.found.map(({ name, lacking }) => ({ name, functions: [], lacking: lacking || reason }));
      return run(system, options, target, sink, { program: '', probes: [], found });
    }
  },
};

function fidelityOf(choice: ProbeChoice): LiveHeader['fidelity'] {
  return Object.assign({}, ...choice.probes.map(({ streams }) => streams)) as LiveHeader['fidelity'];
}

/** What was probed, and what is not there, for the trace's notes. */
function notesOf(choice: ProbeChoice): LiveFacts['notes'] {
  const used = choice.found.flatMap(({ functions }) => functions);
  const lacking = choice.found.filter(({ functions }) => functions.length === 0);
  return {
    ...(used.length > 0 ? { kernelFunctions: used } : {}),
    ...(lacking.length > 0
      ? { notProbed: Object.fromEntries(lacking.map(({ name, lacking: reason }) => [name, reason])) }
      : {}),
  };
}

async function run(
  system: System,
  options: LiveOptions,
  target: LiveTarget,
  sink: LiveSink,
  choice: ProbeChoice,
): Promise<LiveRun> {
  const [pids, root] = target.kind === 'everybody' ? [undefined, undefined] : [target.pids, target.root];
  const program = join(sink.folder.path, 'ioctls.bt');
  const btf = checkBtf(system).state === 'ok';
  writeFileSync(
    program,
    bpftraceProgram({
      pids,
      cpus: system.cpus,
      types: options.requestTypes ?? [],
      btf,
      probes: choice.program,
      probeNames: choice.probes.map(({ name }) => name),
    }),
  );
  const hold = join(sink.folder.path, 'hold');
  if (system.access(hold) === 'absent') makePipe(hold);
  return spawnBpftrace(system, program, hold, sink, options.bufferBytes, { root, notes: notesOf(choice) });
}

/** Memory for bpftrace's buffers, all CPUs together: a call with a large bitmap is a thousand lines at once. */
const BUFFER_BYTES = 32 * 1024 * 1024;
const PAGE_BYTES = 4096;

/** Pages for each CPU: a power of two. */
function bufferPages(cpus: number, bytes: number): number {
  return 2 ** Math.max(4, Math.min(17, Math.round(Math.log2(bytes / cpus / PAGE_BYTES))));
}

async function spawnBpftrace(
  system: System,
  program: string,
  hold: string,
  sink: LiveSink,
  bufferBytes: number | undefined,
  known: Known,
): Promise<LiveRun> {
  const cat = system.program('cat') ?? '/bin/cat';
  const args = ['-B', 'line', '-f', 'json', '-c', `${cat} ${hold}`, program];
  const pages = bufferPages(system.cpus, bufferBytes ?? BUFFER_BYTES);
  const env = { ...process.env, BPFTRACE_PERF_RB_PAGES: String(pages), BPFTRACE_MAP_KEYS_MAX: '65536' };
  // A session of its own: Ctrl-C is for the recorder, which then ends it in good order.
  const child = spawn(system.program('bpftrace') ?? 'bpftrace', args, { stdio: 'pipe', env, detached: true });
  child.stdin.end();
  const run = new BpfRun(child, sink, known);
  try {
    await run.begin(hold);
  } catch (error) {
    run.abandon();
    throw error;
  }
  return run;
}
