import { join, parse } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { createTrace } from '../../traces/file.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { Health } from '../../traces/health.ts';
import type { HealthReport } from '../../traces/health.ts';
import type { Segment } from '../../traces/segment.ts';
import { TOOL, toolVersion } from '../../traces/tool.ts';
import { LastEvents } from './last-events.ts';
import type { LiveFacts, LiveHeader, LiveRun, LiveTarget } from './live-source.ts';
import { hostOf, readMachine } from './machine/machine.ts';
import { makePipe } from './named-pipe.ts';
import { isRunning } from './process-tree.ts';
import type { RecordTask } from './record-options.ts';
import { openOutput } from './record-output.ts';
import type { RecordOutput } from './record-output.ts';
import { streamsOf } from './record-result.ts';
import type { RecordResult, StopReason } from './record-result.ts';
import { takeEvents } from './record-run.ts';
import { RunFolder } from './run-folder.ts';
import { StopSignals } from './stop-signals.ts';
import type { System } from './system.ts';
import { TracedCommand } from './traced-command.ts';
import type { CommandEnd } from './traced-command.ts';
import { EventCounts } from './view/event-counts.ts';
import type { LiveMoment } from './view/live-frame.ts';
import { LiveView } from './view/live-view.ts';
import type { LiveScreen } from './view/live-view.ts';

export interface RecordingOutcome {
  readonly result: RecordResult;
  readonly health: HealthReport;
  readonly header: TraceHeader;
  /** Exit status. */
  readonly status: number;
}

function headerOf(system: System, task: RecordTask, live: LiveHeader): TraceHeader {
  const machine = readMachine(system);
  const [pid = 'self'] = task.pids;
  const host = hostOf(machine, system.read(`/proc/${pid}/limits`));
  return {
    formatVersion: FORMAT_VERSION,
    tool: TOOL,
    toolVersion: toolVersion(),
    sources: live.parts ?? [{ format: task.source.name, producer: live.producer }],
    host,
    machine,
    clock: live.clock,
    fidelity: live.fidelity,
  };
}

function targetOf(task: RecordTask, command: TracedCommand | undefined): LiveTarget {
  if (command !== undefined) return { kind: 'processes', pids: [command.pid], root: command.pid };
  return task.pids.length > 0 ? { kind: 'processes', pids: task.pids } : { kind: 'everybody' };
}

/** What a recording has set up, and how all of it is taken down. */
class Recording {
  readonly #system: System;
  readonly #task: RecordTask;
  readonly #header: TraceHeader;
  readonly #live: LiveHeader;
  readonly #output: RecordOutput;
  readonly #health = new Health();
  readonly #folder: RunFolder;
  readonly #last: LastEvents | undefined;
  #command: TracedCommand | undefined;
  #run: LiveRun | undefined;
  #written = 0;

  readonly #screen: LiveScreen | undefined;
  readonly #counts: EventCounts;

  constructor(system: System, task: RecordTask, screen: LiveScreen | undefined) {
    this.#system = system;
    this.#task = task;
    refuseGone(system, task.pids);
    this.#live = task.source.describe(system, task.live);
    this.#header = headerOf(system, task, this.#live);
    this.#screen = screen;
    // The sink that takes the events has the texts that they refer to.
    const counts = new EventCounts((ref) => (this.#last ?? this.#output.writer).text(ref));
    this.#counts = counts;
    const counting = screen === undefined ? {} : { onSegment: (segment: Segment) => counts.add(segment) };
    this.#output = openOutput(task.output, this.#header, task.keepLast === undefined ? counting : {});
    this.#folder = new RunFolder(system);
    this.#last = task.keepLast === undefined ? undefined : new LastEvents(this.#header, task.keepLast * 1e6, counting);
  }

  get command(): TracedCommand | undefined {
    return this.#command;
  }

  /** Undoes everything at once, also when the process ends. */
  readonly abandon = (): void => {
    this.#run?.abandon();
    this.#folder.remove();
  };

  /** Starts the command, if there is one; it waits until `run` lets it go. */
  prepare(): string | undefined {
    const { source, live, command, json } = this.#task;
    if (command === undefined) return undefined;
    const pipe = source.wrap === undefined ? undefined : join(this.#folder.path, 'output');
    if (pipe !== undefined) makePipe(pipe);
    const wrapped = pipe === undefined ? undefined : source.wrap?.(this.#system, live, command, pipe);
    this.#command = new TracedCommand(wrapped ?? command, json ? 2 : 'inherit');
    return pipe;
  }

  async run(pipe: string | undefined, signals: StopSignals): Promise<RecordingOutcome> {
    const task = this.#task;
    const system = this.#system;
    const output = this.#output;
    const health = this.#health;
    const sink = this.#last ?? output.writer;
    const target = targetOf(task, this.#command);
    const cpu = process.cpuUsage();
    const begun = performance.now();
    const live = { sink, health, header: this.#live, source: 0, folder: this.#folder, pipe };
    const run = await task.source.start(system, task.live, target, live);
    this.#run = run;
    this.#command?.release();
    const isGone = (): boolean => allGone(system, task.pids);
    const view = this.#screen === undefined ? undefined : new LiveView(this.#screen, task.output);
    const watch = (time: number): void => {
      if (view?.due(time) === true) view.show(this.#moment(time, run));
    };
    const stopped = await takeEvents(run, output, task, this.#command, signals, isGone, watch).finally(() =>
      view?.end(),
    );
    const facts = await run.stop();
    const wallNs = Math.round((performance.now() - begun) * 1e6);
    const tooOld = this.#last?.dropped ?? 0;
    const notes = { ...facts.notes, taken: facts.taken, stopped, ...(tooOld === 0 ? {} : { tooOld }) };
    this.#last?.moveTo(output.writer);
    await output.finish({ health: health.report(), notes: { recording: notes } }, signals.signal);
    const { user, system: kernel } = process.cpuUsage(cpu);
    const end = await this.#end(stopped);
    const spent = { wallNs, cpuNs: (user + kernel) * 1000 };
    const result = resultOf(task, output, facts, stopped, spent, end);
    return { result, health: health.report(), header: this.#header, status: end?.status ?? signals.status ?? 0 };
  }

  #moment(time: number, run: LiveRun): LiveMoment {
    const held = this.#last ?? this.#output.writer;
    held.flush();
    const { bytes } = held;
    const { lost, fill } = run.state?.() ?? { lost: 0, fill: undefined };
    const { streams } = this.#counts;
    return { time, streams: streams.slice(), owners: this.#counts.owners(), lost, bytes, fill };
  }

  /** Writes what is kept in memory into a file beside the output, and goes on. Gives its name. */
  writeOut(): string | undefined {
    if (this.#last === undefined) return undefined;
    this.#written++;
    const { output } = this.#task;
    const { dir, name, ext } = parse(output);
    const path = join(dir, `${name}-${this.#written}${ext}`);
    const writer = createTrace(path, this.#header);
    this.#last.moveTo(writer);
    writer.finish({ health: this.#health.report(), notes: { recording: { writtenOut: this.#written } } });
    return path;
  }

  /** After a failure. True if the command runs nevertheless. */
  fail(): boolean {
    const command = this.#run === undefined ? undefined : this.#command;
    if (command === undefined) this.#command?.cancel();
    this.abandon();
    this.#output.close();
    return command?.over === false;
  }

  /** A command that outlives the recording is waited for, but not one that ignores being told to end. */
  async #end(stopped: StopReason): Promise<CommandEnd | null> {
    const command = this.#command;
    if (command === undefined || (stopped === 'signal' && !command.over)) return null;
    return command.ended;
  }
}

/**
 * Records until the command ends, the time is up, the file has its size, or a signal comes. Throws `IorrError`; what was
 * recorded before stays readable, nothing stays behind in the system, and a command that runs already goes on to its end.
 * `screen` shows what it is at.
 */
export async function record(
  system: System,
  task: RecordTask,
  interrupt: AbortSignal,
  tell: (text: string) => void,
  screen: LiveScreen | undefined,
): Promise<RecordingOutcome> {
  const recording = new Recording(system, task, screen);
  // A process that ends for whatever reason leaves nothing behind.
  process.on('exit', recording.abandon);
  const writeOut = (): void => {
    const path = recording.writeOut();
    if (path !== undefined) tell(`wrote ${path}, and goes on\n`);
  };
  if (task.keepLast !== undefined) process.on('SIGUSR1', writeOut);
  const signals = new StopSignals(interrupt, () => recording.command);
  try {
    return await recording.run(recording.prepare(), signals);
  } catch (error) {
    // The command is the user's: that it can't be recorded any more is no reason to end it.
    if (recording.fail()) {
      tell(`recording stopped (${error instanceof IorrError ? error.message : 'an error'}); the command goes on\n`);
      await recording.command?.ended;
    }
    throw error;
  } finally {
    signals.dispose();
    process.off('exit', recording.abandon);
    process.off('SIGUSR1', writeOut);
    recording.abandon();
  }
}

/** Processes were named, and none of them runs. */
/** A file that is there already is not given up for a recording that can't be. */
function refuseGone(system: System, pids: readonly number[]): void {
  const gone = pids.find((pid) => !isRunning(system, pid));
  if (gone === undefined) return;
  throw new IorrError('RECORDING_FAILED', `there is no process ${gone}`, { hint: 'name one that runs with --pid' });
}

function allGone(system: System, pids: readonly number[]): boolean {
  return pids.length > 0 && !pids.some((pid) => isRunning(system, pid));
}

function resultOf(
  task: RecordTask,
  output: RecordOutput,
  facts: LiveFacts,
  stopped: StopReason,
  spent: { readonly wallNs: number; readonly cpuNs: number },
  command: RecordResult['command'],
): RecordResult {
  const { writer } = output;
  const { events, bytes } = writer;
  return {
    output: task.output,
    source: task.source.name,
    events,
    bytes,
    bytesPerEvent: events === 0 ? 0 : bytes / events,
    streams: streamsOf(writer.streamCounts),
    taken: facts.taken,
    lost: facts.lost,
    ...spent,
    takenPerCpuSecond: spent.cpuNs > 0 ? (facts.taken / spent.cpuNs) * 1e9 : 0,
    stopped,
    command,
  };
}
