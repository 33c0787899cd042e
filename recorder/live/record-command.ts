import type { CommandInvocation, CommandIo, CommandSpec } from '../../traces/command.ts';
import { givenOptions, makeEnvelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { toJson } from '../../traces/plain-json.ts';
import { toolVersion } from '../../traces/tool.ts';
import { LIVE_SOURCES } from './live-sources.ts';
import { cannotRun, readProgram, readTask } from './record-options.ts';
import type { RecordTask } from './record-options.ts';
import { recordText } from './record-result.ts';
import { record } from './recording.ts';
import type { RecordingOutcome } from './recording.ts';
import { thisSystem } from './system.ts';
import type { LiveScreen } from './view/live-view.ts';

/** Have an exit code that says so by itself. */
const NOT_STARTED = new Set(['PROGRAM_NOT_FOUND', 'PROGRAM_NOT_EXECUTABLE']);

/** With a command, 1 and 2 may be its own: what failed in iorr is 125, as of `env`, `nice` and `timeout`. */
function asOurs(error: unknown, command: RecordTask['command']): unknown {
  if (command === undefined || !(error instanceof IorrError) || NOT_STARTED.has(error.code)) return error;
  const { message, place, hint } = error;
  return new IorrError('RECORDING_FAILED', message, { place, hint, cause: error });
}

/** Options that say how much is recorded. */
const LIMITS = 'pid processesOnly ioctlType duration maxSize keepLast bufferSize subBufferSize'.split(' ');

function printJson(invocation: CommandInvocation, task: RecordTask, outcome: RecordingOutcome): void {
  const { result, header, health } = outcome;
  const { sources, host, clock, fidelity } = header;
  const input = [{ file: task.source.name, events: result.taken, sources, host, clock, fidelity }];
  const options = {
    source: task.source.name,
    event: task.live.events,
    ...givenOptions(invocation.options, LIMITS),
  };
  invocation.io.out(toJson(makeEnvelope('record', { version: toolVersion(), input, options, health, result })));
}

/** A command has the same terminal, and may write on it at any time: nothing is drawn over then. */
function screenOf(io: CommandIo, shared: boolean): LiveScreen {
  const { stderr, env } = process;
  const inPlace = io.stderrIsTerminal && env['TERM'] !== 'dumb' && !shared;
  return {
    write: (text) => io.err(text),
    inPlace,
    colour: inPlace && (env['NO_COLOR'] ?? '') === '',
    // A pty that nobody gave a size says 0.
    size: () => ({ columns: stderr.columns || 80, rows: stderr.rows || 24 }),
  };
}

async function run(invocation: CommandInvocation): Promise<number> {
  const { args, options, io } = invocation;
  const command = args.length > 0 ? args : undefined;
  const system = thisSystem();
  try {
    if (options['printProgram'] === true) {
      io.out(readProgram(system, options));
      return 0;
    }
    const task = readTask(args, options);
    const obstacle = command === undefined ? undefined : cannotRun(system, command);
    if (obstacle !== undefined) throw obstacle;
    const screen = task.watched ? screenOf(io, command !== undefined) : undefined;
    const outcome = await record(system, task, io.signal, (text) => io.err(`iorr: ${text}`), screen);
    if (task.json) printJson(invocation, task, outcome);
    else io.err(recordText(outcome.result, outcome.health));
    return outcome.status;
  } catch (error) {
    throw asOurs(error, command);
  }
}

export const recordCommand: CommandSpec = {
  name: 'record',
  summary: 'record what the IOMMU stack of this machine does',
  args: ['[CMD...]'],
  options: [
    { flags: '-o, --output <file>', description: 'the trace to write; - is stdout' },
    {
      flags: '--source <name>',
      values: LIVE_SOURCES.map(({ name }) => name),
      list: true,
      description: `how events come in: ${LIVE_SOURCES.map(({ name }) => name).join(', ')}, or several with commas`,
      repeatable: true,
    },
    {
      flags: '--event <event>',
      description: 'SYSTEM, SYSTEM:NAME, or several with commas (default: all of IOMMUs, DMA API, ioctls)',
      repeatable: true,
    },
    {
      flags: '--ioctl-type <type>',
      description: 'bpf: ioctls of this type as well as of IOMMUFD, VFIO and vhost: 0xae, several with commas, all',
      repeatable: true,
    },
    { flags: '--pid <pid>', description: 'only this process, its threads and children', repeatable: true },
    {
      flags: '--processes-only',
      description: 'of IOMMUs and the DMA API, too, only what runs as these processes, not what interrupts do',
    },
    { flags: '--live', description: 'show rates, losses and the busiest devices on the terminal meanwhile' },
    { flags: '--duration <time>', description: 'stop after it: 30s, 500ms, 5m' },
    { flags: '--max-size <size>', description: 'stop when the file is this large: 100M, 2G' },
    {
      flags: '--keep-last <time>',
      description: 'keep only the last of it, in memory, until the end; SIGUSR1 writes it out and goes on',
    },
    { flags: '--buffer-size <size>', description: "memory for the kernel's buffers, all CPUs together" },
    {
      flags: '--sub-buffer-size <size>',
      description: 'what the kernel hands over at once (default: 64K where it can)',
    },
    {
      flags: '--print-program',
      description: 'print the program that bpf runs, to run it where iorr is not, and iorr import what it wrote',
    },
    { flags: '--json', description: "print the result as one JSON document; the command's stdout goes to stderr" },
  ],
  examples: [
    {
      command: 'iorr record -o run.iorr --duration 30s',
      does: 'everything that IOMMUs, drivers and VMMs do for 30 seconds',
    },
    {
      command: 'iorr record -o vm.iorr -- qemu-system-x86_64 -nographic ...',
      does: 'a command and all that it starts',
    },
    {
      command: 'iorr record -o run.iorr --live',
      does: 'the same until Ctrl-C, with rates, losses and the busiest devices meanwhile',
    },
    {
      command: 'iorr record -o q.iorr --event iommu,intel_iommu --pid 4242',
      does: 'some events of a process that runs',
    },
  ],
  run,
};
