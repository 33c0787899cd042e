import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { IorrError } from '../../traces/errors.ts';
import { strace } from '../import/strace.ts';
import type { ImportRun } from '../import/importer.ts';
import type { LiveFacts, LiveHeader, LiveOptions, LiveRun, LiveSink, LiveSource, LiveTarget } from './live-source.ts';
import { PipeReader, makePipe } from './named-pipe.ts';
import { tasksOfTree } from './process-tree.ts';
import type { System } from './system.ts';
import { checkStrace } from './tool-checks.ts';

/**
 * ioctls, and the calls that decide which file an fd is and what user memory is mapped when an ioctl comes. A machine that
 * lacks one is no failure (`?`).
 */
const CALLS =
  'ioctl open openat openat2 creat close dup dup2 dup3 fcntl mmap munmap mremap mprotect madvise brk memfd_create ' +
  'eventfd eventfd2 pipe pipe2 fork vfork clone clone3 execve execveat';

/** Bytes of a string that are printed. */
const STRING_BYTES = 256;
/** A tracer that was asked to leave its processes has this long. */
const DETACH_MS = 2000;

function flags(options: LiveOptions, pipe: string): readonly string[] {
  const asked = options.events.flatMap((event) => event.split(',')).filter((name) => name !== '');
  const calls = (asked.length > 0 ? asked : CALLS.split(' ')).map((name) => (asked.length > 0 ? name : `?${name}`));
  return [
    '--follow-forks',
    '--absolute-timestamps=format:unix,precision:ns',
    '--syscall-times=ns',
    // The kind of a file decides what an ioctl's number means.
    '--decode-fds=path',
    '--const-print-style=verbose',
    `--string-limit=${STRING_BYTES}`,
    `--trace=${calls.join(',')}`,
    `--output=${pipe}`,
  ];
}

class StraceRun implements LiveRun {
  readonly #pipe: PipeReader;
  readonly #reader: ImportRun;
  readonly #tracer: ChildProcess | undefined;
  #over = false;

  constructor(pipe: string, sink: LiveSink, tracer: ChildProcess | undefined) {
    this.#pipe = new PipeReader(pipe);
    const { producer, clock, fidelity } = sink.header;
    const header = { source: { format: 'strace', producer }, host: {}, clock, fidelity };
    this.#reader = strace.create({ ...sink, file: 'strace', header });
    this.#tracer = tracer;
    tracer?.once('exit', () => {
      this.#over = true;
    });
  }

  poll(): boolean {
    const chunk = this.#pipe.read();
    if (chunk === undefined) return false;
    this.#reader.push(chunk);
    return true;
  }

  async stop(): Promise<LiveFacts> {
    if (this.#tracer !== undefined && !this.#over) {
      this.#tracer.kill('SIGTERM');
      const until = performance.now() + DETACH_MS;
      while (!this.#over && performance.now() < until) if (!this.poll()) await sleep(5);
    }
    while (this.poll());
    const facts = this.#reader.end();
    this.abandon();
    return { taken: facts.lines, lost: 0, notes: facts.notes };
  }

  abandon(): void {
    this.#pipe.close();
    if (!this.#over) this.#tracer?.kill('SIGTERM');
  }
}

export const straceSource: LiveSource = {
  name: 'strace',
  description: 'calls of programs, by strace; needs no privilege for your own',
  sees: 'ioctls with their names and results, opens, mappings of user memory; of a command, or of processes by --pid',
  misses:
    'what ioctl structs hold; anything inside the kernel (maps, commands, faults). It stops the program twice a call',

  probe: (system) => [checkStrace(system)],

  describe(system): LiveHeader {
    const check = checkStrace(system);
    if (check.state === 'missing') {
      throw new IorrError('RECORDING_FAILED', `strace: ${check.found}`, { hint: check.needs });
    }
    return {
      producer: 'strace',
      clock: { epochNs: `${BigInt(Date.now()) * 1_000_000n}`, name: 'realtime', resolutionNs: 1 },
      fidelity: { ioctl: 'partial', call: 'partial', map: 'partial', unmap: 'partial' },
    };
  },

  // The filter in the kernel lets all other calls run at full speed.
  wrap: (system, options, command, pipe) => [
    system.program('strace') ?? 'strace',
    '--seccomp-bpf',
    ...flags(options, pipe),
    '--',
    ...command,
  ],

  async start(system, options, target, sink): Promise<LiveRun> {
    if (sink.pipe !== undefined) return new StraceRun(sink.pipe, sink, undefined);
    if (target.kind === 'everybody') {
      throw new IorrError('USAGE', 'strace follows a command or processes, not everybody', {
        hint: 'iorr record --source strace -o FILE -- CMD, or --pid PID',
      });
    }
    return attach(system, options, target, sink);
  },
};

function attach(
  system: System,
  options: LiveOptions,
  target: Extract<LiveTarget, { kind: 'processes' }>,
  sink: LiveSink,
): LiveRun {
  const gone = target.pids.find((pid) => tasksOfTree(system, pid).length === 0);
  if (gone !== undefined) {
    throw new IorrError('RECORDING_FAILED', `there is no process ${gone}`, { hint: 'name one that runs with --pid' });
  }
  const pipe = join(sink.folder.path, 'strace');
  makePipe(pipe);
  const pids = target.pids.map((pid) => `--attach=${pid}`);
  const tracer = spawn(system.program('strace') ?? 'strace', [...flags(options, pipe), ...pids], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  tracer.on('error', () => {});
  return new StraceRun(pipe, sink, tracer);
}
