import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { createTrace } from '../../traces/file.ts';
import type { TraceFileWriter } from '../../traces/file.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { Health } from '../../traces/health.ts';
import type { HealthReport } from '../../traces/health.ts';
import { TOOL, toolVersion } from '../../traces/tool.ts';
import type { LiveFacts, LiveHeader, LiveRun, LiveTarget } from './live-source.ts';
import { hostOf, readMachine } from './machine/machine.ts';
import { makePipe } from './named-pipe.ts';
import { threadsOf } from './process-tree.ts';
import type { RecordTask } from './record-options.ts';
import { streamsOf } from './record-result.ts';
import type { RecordResult, StopReason } from './record-result.ts';
import { takeEvents } from './record-run.ts';
import { StopSignals } from './stop-signals.ts';
import type { System } from './system.ts';
import { TracedCommand } from './traced-command.ts';

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
    sources: [{ format: task.source.name, producer: live.producer }],
    host,
    machine,
    clock: live.clock,
    fidelity: live.fidelity,
  };
}

function targetOf(task: RecordTask, command: TracedCommand | undefined): LiveTarget {
  if (command !== undefined) return { kind: 'processes', pids: [command.pid] };
  return task.pids.length > 0 ? { kind: 'processes', pids: task.pids } : { kind: 'everybody' };
}

/**
 * Records until the command ends, the time is up, the file has its size, or a signal comes. Throws `IorrError`; what was
 * recorded before stays readable, nothing stays behind in the system, and a command that runs already goes on to its end.
 */
export async function record(
  system: System,
  task: RecordTask,
  interrupt: AbortSignal,
  tell: (text: string) => void,
): Promise<RecordingOutcome> {
  const live = task.source.describe(system, task.live);
  const header = headerOf(system, task, live);
  const writer = createTrace(task.output, header);
  const health = new Health();
  let command: TracedCommand | undefined;
  let run: LiveRun | undefined;
  // A process that ends for whatever reason leaves nothing behind.
  const folder = mkdtempSync(join(tmpdir(), 'iorr-record-'));
  const abandon = (): void => {
    run?.abandon();
    rmSync(folder, { recursive: true, force: true });
  };
  process.on('exit', abandon);
  const cpu = process.cpuUsage();
  const begun = performance.now();
  try {
    const pipe = task.command !== undefined && task.source.wrap !== undefined ? join(folder, 'output') : undefined;
    if (pipe !== undefined) makePipe(pipe);
    if (task.command !== undefined) {
      const wrapped = pipe === undefined ? undefined : task.source.wrap?.(system, task.live, task.command, pipe);
      command = new TracedCommand(wrapped ?? task.command, task.json ? 2 : 'inherit');
    }
    const sink = { sink: writer, health, header: live, source: 0, folder, pipe };
    try {
      run = await task.source.start(system, task.live, targetOf(task, command), sink);
    } catch (error) {
      command?.cancel();
      throw error;
    }
    const signals = new StopSignals(interrupt, command);
    try {
      command?.release();
      const stopped = await takeEvents(run, writer, task, command, signals, () => allGone(system, task.pids));
      const facts = await run.stop();
      const wallNs = Math.round((performance.now() - begun) * 1e6);
      writer.finish({ health: health.report(), notes: { recording: { ...facts.notes, taken: facts.taken, stopped } } });
      const { user, system: kernel } = process.cpuUsage(cpu);
      const end = command?.over === true ? await command.ended : null;
      const result = resultOf(task, writer, facts, stopped, { wallNs, cpuNs: (user + kernel) * 1000 }, end);
      const status = end?.status ?? signals.status ?? 0;
      return { result, health: health.report(), header, status };
    } finally {
      signals.dispose();
    }
  } catch (error) {
    run?.abandon();
    writer.close();
    await waitFor(command, error, tell);
    throw error;
  } finally {
    process.off('exit', abandon);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Processes were named, and none of them runs. */
function allGone(system: System, pids: readonly number[]): boolean {
  return pids.length > 0 && pids.every((pid) => threadsOf(system, pid).length === 0);
}

/** The command is the user's: that it can't be recorded any more is no reason to end it. */
async function waitFor(
  command: TracedCommand | undefined,
  error: unknown,
  tell: (text: string) => void,
): Promise<void> {
  if (command === undefined || command.over) return;
  const reason = error instanceof IorrError ? error.message : 'an error';
  tell(`recording stopped (${reason}); the command goes on\n`);
  await command.ended;
}

function resultOf(
  task: RecordTask,
  writer: TraceFileWriter,
  facts: LiveFacts,
  stopped: StopReason,
  spent: { readonly wallNs: number; readonly cpuNs: number },
  command: RecordResult['command'],
): RecordResult {
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
