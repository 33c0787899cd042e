import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnSync } from 'node:child_process';
import { openTrace } from '../../traces/file.ts';
import { runLive } from '../../recorder/live/testing/live-machine.ts';
import { CLI } from '../robustness/kill-run.ts';
import type { Figure } from '../figures.ts';

/** What a live recording loses and costs, by loops of system calls whose number is known. */

const SOURCE = fileURLToPath(new URL('syscall-loop.c', import.meta.url));

/** Builds the loop; undefined where there is no compiler. */
export function buildLoop(folder: string): string | undefined {
  const program = join(folder, 'syscall-loop');
  const { status } = spawnSync('gcc', ['-O2', '-static', '-o', program, SOURCE], { stdio: 'ignore' });
  return status === 0 ? program : undefined;
}

/** What a loop's processes say, summed up. */
interface LoopUse {
  readonly calls: number;
  readonly cpuNs: number;
  /** Of the longest. */
  readonly wallNs: number;
}

// 4999512 3020111000 5000000113
function loopUse(text: string): LoopUse {
  const lines = [...text.matchAll(/^(\d+) (\d+) (\d+)$/gm)].map((match) => match.slice(1).map(Number));
  if (lines.length === 0) throw new Error(`the loop said ${JSON.stringify(text.slice(0, 300))}`);
  const sum = (at: number): number => lines.reduce((total, line) => total + (line[at] ?? 0), 0);
  return { calls: sum(0), cpuNs: sum(1), wallNs: Math.max(...lines.map((line) => line[2] ?? 0)) };
}

interface RecordedLoop extends LoopUse {
  readonly taken: number;
  readonly lost: number;
  /** ns of processor that took the events from the kernel, and of all of the recorder. */
  readonly readingCpuNs: number;
  readonly recorderCpuNs: number;
}

const EVENTS = ['--event', 'raw_syscalls'];

/** `iorr record --source tracefs --event raw_syscalls -- LOOP`. */
export function recordLoop(command: readonly string[], options: readonly string[] = []): RecordedLoop {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-loop-'));
  const file = join(folder, 'loop.iorr');
  try {
    const args = [CLI, 'record', '--json', '--source', 'tracefs', ...EVENTS, ...options, '-o', file, '--', ...command];
    const { status, stdout, stderr } = runLive(process.execPath, args);
    if (status !== 0) throw new Error(`iorr record exited with ${status}: ${stderr}`);
    const { result } = JSON.parse(stdout) as { result: { taken: number; lost: number; cpuNs: number } };
    const trace = openTrace(file);
    const { recording } = trace.notes as { recording: { readingCpuNs: number } };
    trace.close();
    const { taken, lost, cpuNs } = result;
    // With --json the command's stdout is on stderr.
    return { ...loopUse(stderr), taken, lost, readingCpuNs: recording.readingCpuNs, recorderCpuNs: cpuNs };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An instance as the recorder makes it, whose buffers nobody reads: new events overwrite old ones. */
const BARE = `
i=/sys/kernel/tracing/instances/iorr-bare-$$
mkdir $i
trap 'echo 0 > $i/tracing_on; echo 0 > $i/events/enable; rmdir $i' EXIT
echo 0 > $i/tracing_on
echo mono > $i/trace_clock
echo 64 > $i/buffer_subbuf_size_kb 2>/dev/null || true
echo 16384 > $i/buffer_size_kb
echo 1 > $i/options/event-fork
sh -c 'echo $$ > $0/set_event_pid; echo 1 > $0/events/raw_syscalls/enable; echo 1 > $0/tracing_on; exec "$@"' $i "$@"
`;

function bareLoop(command: readonly string[]): LoopUse {
  const { status, stdout, stderr } = runLive('sh', ['-c', BARE, 'sh', ...command]);
  if (status !== 0) throw new Error(`the bare loop exited with ${status}: ${stderr}`);
  return loopUse(stdout);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Calls a second of one process that make 2 million events. */
const RATE = 1_000_000;
const COMMAND = 'iorr record --source tracefs --event raw_syscalls -- syscall-loop';

interface LossOptions {
  readonly seconds: number;
  readonly runs: number;
}

/** 2 million events a second: what is lost, and what taking them costs. */
export function rateFigures(loop: string, { seconds, runs }: LossOptions): readonly Figure[] {
  const command = [loop, '1', String(seconds), String(RATE)];
  const recorded = Array.from({ length: runs }, () => recordLoop(command));
  const name = `2 M events/s for ${seconds} s, median of ${runs} runs`;
  const made = { command: `${COMMAND} 1 ${seconds} ${RATE}` };
  const of = (value: (run: RecordedLoop) => number): number => median(recorded.map(value));
  return [
    { ...made, name: `${name}: lost`, value: of(({ lost }) => lost), unit: 'events', limit: { most: 0 } },
    {
      ...made,
      name: `${name}: made`,
      value: of(({ calls, wallNs }) => (2e3 * calls) / wallNs),
      unit: 'M events/s',
      limit: { least: 1.98 },
    },
    {
      ...made,
      name: `${name}: drained`,
      value: of(({ taken, readingCpuNs }) => (1e3 * taken) / readingCpuNs),
      unit: 'M events/CPU-s',
      limit: { least: 15 },
    },
    {
      ...made,
      name: `${name}: drained, decoded and written`,
      value: of(({ taken, recorderCpuNs }) => (1e3 * taken) / recorderCpuNs),
      unit: 'M events/CPU-s',
      limit: { least: 1 },
    },
  ];
}

/** Memory that overflows for certain at such rates. */
const SMALL_BUFFER = ['--buffer-size', '256K', '--sub-buffer-size', '4K'];

/**
 * Four times as many, or what the machine can make of that, with the recorder's own buffers and with small ones: each event that
 * the loops made was taken or is counted as lost. What they do beside their calls (start, end) is the same in a short run
 * without loss.
 */
export function lossFigures(loop: string, { seconds, runs }: LossOptions): readonly Figure[] {
  const processes = 2;
  const run = (time: number, rate: number, options: readonly string[] = []): RecordedLoop =>
    recordLoop([loop, String(processes), String(time), String(rate)], options);
  const beside = ({ taken, lost, calls }: RecordedLoop): number => taken + lost - 2 * calls;
  const quiet = run(0.02, 10_000);
  const made = { command: `${COMMAND} ${processes} ${seconds} ${2 * RATE}` };
  const figures = [[], SMALL_BUFFER].flatMap((options): readonly Figure[] => {
    const recorded = Array.from({ length: runs }, () => run(seconds, 2 * RATE, options));
    const worst = Math.max(...recorded.map((one) => Math.abs(beside(one) - beside(quiet))));
    const most = recorded.reduce((a, b) => (a.lost > b.lost ? a : b));
    const rate = `${((2e3 * most.calls) / most.wallNs).toFixed(2)} M events/s`;
    const name = `8 M events/s asked, ${rate} made, ${most.lost} of ${2 * most.calls} lost${options.map((text) => ` ${text}`).join('')}`;
    const counted = { ...made, name: `${name}: not accounted for`, value: worst, unit: 'events', limit: { most: 0 } };
    const lost = { ...made, name: 'so many were lost', value: most.lost, unit: 'events', limit: { least: 1 } };
    return options.length === 0 ? [counted] : [counted, lost];
  });
  return [...figures, { ...made, name: 'the quiet run lost', value: quiet.lost, unit: 'events', limit: { most: 0 } }];
}

/** What a call costs its process while it is recorded, by what it costs with the same events and no reader; interleaved. */
export function costFigures(loop: string, calls: number, pairs: number): readonly Figure[] {
  const command = [loop, '1', '0', String(calls)];
  const bare: number[] = [];
  const recorded: number[] = [];
  const cost = ({ cpuNs, calls: made }: LoopUse): number => cpuNs / made;
  for (let i = 0; i < pairs; i++) {
    // ABBA: what drifts is the same for both.
    if (i % 2 === 0) bare.push(cost(bareLoop(command)));
    recorded.push(cost(recordLoop(command)));
    if (i % 2 === 1) bare.push(cost(bareLoop(command)));
  }
  const [before, with_] = [median(bare), median(recorded)];
  const text = `${before.toFixed(0)} ns and ${with_.toFixed(0)} ns a call`;
  return [
    {
      name: `recorded by bare tracepoint, medians of ${pairs} (${text})`,
      value: with_ / before,
      unit: 'x',
      limit: { most: 1.05 },
      command: `${COMMAND} 1 0 ${calls}`,
    },
  ];
}

/** By source: the events that the loop's calls make, how many calls one run makes, and µs a call that would be a fault. */
const SOURCE_COSTS = [
  { source: 'tracefs', event: 'raw_syscalls', calls: 500_000, most: 20 },
  { source: 'perf', event: 'raw_syscalls', calls: 500_000, most: 50 },
  { source: 'strace', event: 'getppid', calls: 20_000, most: 500 },
] as const;

/** What each source adds to a call of a recorded process, by the wall clock: the recorder runs beside it. Sources that can't run here are left out. */
export function sourceCostFigures(loop: string, runs: number): readonly Figure[] {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-loop-'));
  const perCall = ({ wallNs, calls }: LoopUse): number => wallNs / calls;
  try {
    return SOURCE_COSTS.flatMap(({ source, event, calls, most }): readonly Figure[] => {
      const command = [loop, '1', '0', String(calls)];
      const args = ['record', '--json', '--source', source, '--event', event, '-o', join(folder, 'loop.iorr'), '--'];
      const added: number[] = [];
      for (let i = 0; i < runs; i++) {
        const bare = spawnSync(loop, command.slice(1), { encoding: 'utf8' });
        const recorded = runLive(process.execPath, [CLI, ...args, ...command]);
        if (recorded.status !== 0) return [];
        added.push(perCall(loopUse(recorded.stderr)) - perCall(loopUse(bare.stdout)));
      }
      const made = `iorr record --source ${source} --event ${event} -- syscall-loop 1 0 ${calls}`;
      const name = `${source}: added to a recorded call, median of ${runs}`;
      return [{ name, value: median(added) / 1e3, unit: 'us', limit: { most }, command: made }];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
