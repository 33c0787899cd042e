import { statSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import type { CommandInvocation, CommandIo, CommandSpec } from '../../traces/command.ts';
import { INTERRUPTED } from '../../traces/command.ts';
import { writingBesideReading } from '../../traces/encoding-thread.ts';
import { describeInput, makeEnvelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { createTrace, openTrace } from '../../traces/file.ts';
import type { OpenTrace } from '../../traces/file.ts';
import { Health } from '../../traces/health.ts';
import { toJson } from '../../traces/plain-json.ts';
import { toolVersion } from '../../traces/tool.ts';
import { joinHeaders, joinTraces } from '../import/join/join.ts';
import type { JoinReport } from '../import/join/join.ts';
import { alignByHeader, alignByMarks } from './align-clocks.ts';
import type { ClockAlignment } from './align-clocks.ts';
import { mergeByTime, mergedHeader } from './merge-by-time.ts';

const WAYS = ['commands', 'marks', 'clock'] as const;
type Way = (typeof WAYS)[number];

interface Task {
  readonly files: readonly string[];
  readonly output: string;
  readonly by: Way | undefined;
  /** Of the second trace and so on, ns. */
  readonly offsets: readonly number[] | undefined;
  readonly json: boolean;
}

const UNITS: { readonly [unit: string]: number } = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9 };

/** `-1.5s`; seconds without a unit. Throws USAGE. */
function parseOffset(text: string): number {
  const [, sign = '', number, unit = 's'] = /^([+-]?)(\d+(?:\.\d+)?)(ns|us|ms|s|m)?$/.exec(text) ?? [];
  if (number === undefined) {
    throw new IorrError('USAGE', `--offset: a time such as -1.5s or 200ms expected, found ${JSON.stringify(text)}`, {
      hint: 'units are ns, us, ms, s and m; what is added to the times of the second trace, with commas for more',
    });
  }
  return Math.round(Number(number) * UNITS[unit]!) * (sign === '-' ? -1 : 1);
}

function readTask({ args, options }: CommandInvocation): Task {
  const { output, by, offset } = options;
  if (args.length < 2) {
    throw new IorrError('USAGE', 'two traces or more expected', {
      hint: 'iorr merge guest.iorr host.iorr -o run.iorr',
    });
  }
  if (typeof output !== 'string' || output === '') {
    throw new IorrError('USAGE', 'where to? -o FILE is missing', { hint: `iorr merge ${args.join(' ')} -o run.iorr` });
  }
  if (args.filter((file) => file === '-').length > 1) {
    throw new IorrError('USAGE', 'stdin (-) can be read only once', { hint: 'name the other trace by its path' });
  }
  const json = options['json'] === true;
  if (output === '-' && json) {
    throw new IorrError('USAGE', '-o - and --json would both write to stdout', { hint: 'name a file with -o' });
  }
  if (by !== undefined && offset !== undefined) {
    throw new IorrError('USAGE', '--by and --offset exclude each other', {
      hint: 'an offset that is given needs no search',
    });
  }
  const offsets = typeof offset === 'string' ? offset.split(',').map(parseOffset) : undefined;
  if (offsets !== undefined && offsets.length !== args.length - 1) {
    throw new IorrError(
      'USAGE',
      `--offset: ${args.length - 1} expected, one for each trace but the first, found ${offsets.length}`,
    );
  }
  return { files: args, output, by: by as Way | undefined, offsets, json };
}

/** Throws FILE_UNWRITABLE where the output is one of the inputs. */
function checkInputs({ files, output }: Task): void {
  const to = output === '-' ? undefined : statSync(output, { throwIfNoEntry: false });
  if (to === undefined || !to.isFile()) return;
  for (const file of files) {
    const from = file === '-' ? undefined : statSync(file, { throwIfNoEntry: false });
    if (from === undefined || from.dev !== to.dev || from.ino !== to.ino) continue;
    throw new IorrError('FILE_UNWRITABLE', `it is the input ${file}`, {
      place: { file: output },
      hint: 'name another file with -o',
    });
  }
}

/** The guest's trace (maps, no accesses) and its host's (accesses or commands, no maps), in either order; undefined for others. */
function sidesOf(traces: readonly OpenTrace[]): readonly [guest: OpenTrace, host: OpenTrace] | undefined {
  const [a, b] = traces;
  if (traces.length !== 2 || a === undefined || b === undefined) return undefined;
  const isGuest = ({ streamCounts: { map, unmap, dma } }: OpenTrace): boolean => map + unmap > 0 && dma === 0;
  const isHost = ({ streamCounts: { map, unmap, dma, inv } }: OpenTrace): boolean => map + unmap === 0 && dma + inv > 0;
  if (isGuest(a) && isHost(b)) return [a, b];
  return isGuest(b) && isHost(a) ? [b, a] : undefined;
}

function align(task: Task, traces: readonly OpenTrace[]): ClockAlignment[] {
  const [first, ...others] = traces;
  return others.map((other, i): ClockAlignment => {
    const offset = task.offsets?.[i];
    if (offset !== undefined) return { by: 'offset', offsetNs: offset, pairs: 0, residualNs: null };
    const found =
      task.by === 'clock'
        ? alignByHeader(first!, other)
        : task.by === 'marks'
          ? alignByMarks(first!, other)
          : (alignByMarks(first!, other) ?? alignByHeader(first!, other));
    if (found !== undefined) return found;
    throw new IorrError(
      'JOIN_IMPOSSIBLE',
      `nothing tells how the clock of ${task.files[i + 1]} runs against ${task.files[0]}'s`,
      {
        hint: 'the same mark in both (echo text > trace_marker), or an offset: --offset 1.5s',
      },
    );
  });
}

interface Merged {
  readonly events: number;
  readonly bytes: number;
  readonly join: JoinReport | null;
  readonly clocks: readonly ClockAlignment[];
  readonly complete: boolean;
}

async function merge(task: Task, traces: readonly OpenTrace[], io: CommandIo): Promise<Merged> {
  const aligned = task.offsets !== undefined || task.by === 'marks' || task.by === 'clock';
  const sides = aligned ? undefined : sidesOf(traces);
  if (task.by === 'commands' && sides === undefined) {
    throw new IorrError(
      'JOIN_IMPOSSIBLE',
      'commands bring two traces together: a guest (maps) and its host (accesses, commands)',
      {
        hint: '--by marks or --offset for others',
      },
    );
  }
  const health = (): Health => {
    const sum = new Health();
    for (const trace of traces) sum.merge(trace.health);
    return sum;
  };
  const notes = { inputs: traces.map((trace) => trace.notes) };
  if (sides !== undefined) {
    const [guest, host] = sides;
    const writer = createTrace(task.output, joinHeaders(guest.header, host.header));
    try {
      const join = joinTraces(guest, host, writer);
      const { attribution, ...rest } = join;
      writer.finish({ health: health().report(), notes: { ...notes, join: rest, attribution } });
      return { events: writer.events, bytes: writer.bytes, join, clocks: [], complete: true };
    } finally {
      writer.close();
    }
  }
  const clocks = align(task, traces);
  const writer = createTrace(task.output, mergedHeader(traces.map(({ header }) => header)), writingBesideReading());
  try {
    let complete = true;
    for (const _ of mergeByTime(traces, [0, ...clocks.map(({ offsetNs }) => offsetNs)], writer)) {
      writer.tick(performance.now());
      await turn();
      if (!io.signal.aborted) continue;
      complete = false;
      break;
    }
    const sum = health();
    if (!complete) sum.add('truncated', 'merge was interrupted');
    writer.finish({ health: sum.report(), notes: { ...notes, merge: { clocks } } });
    return { events: writer.events, bytes: writer.bytes, join: null, clocks, complete };
  } finally {
    writer.close();
  }
}

function residualText(residual: ClockAlignment['residualNs']): string {
  if (residual === null) return 'residual not known';
  const { min, median, p99, max } = residual;
  return `residual ${min} to ${max} ns, median ${median}, P99 ${p99}`;
}

function summary({ events, join, clocks }: Merged): string {
  const lines = [`iorr: ${events} events`];
  if (join !== null) {
    const { by, matched, guestOnly, hostOnly } = join.commands;
    const only = [guestOnly, hostOnly].map(({ before, between, after }) => before + between + after);
    lines.push(`  ${matched} pairs by ${by}; ${only[0]} in the guest's alone, ${only[1]} in the host's`);
    lines.push(
      `  clocks: ${join.clock.pieces} pieces, drift ${join.clock.driftPpm.toFixed(3)} ppm, ${residualText(join.clock.residualNs)}`,
    );
  }
  clocks.forEach(({ by, offsetNs, pairs, residualNs }, i) => {
    lines.push(
      `  trace ${i + 2}: ${offsetNs} ns by ${by}${pairs > 0 ? ` (${pairs})` : ''}; ${residualText(residualNs)}`,
    );
  });
  return `${lines.join('\n')}\n`;
}

export const mergeCommand: CommandSpec = {
  name: 'merge',
  summary: 'makes one trace of several of the same run, their clocks aligned',
  args: ['FILE...'],
  options: [
    { flags: '-o, --output <file>', description: 'the trace to write; - is stdout' },
    {
      flags: '--by <what>',
      description:
        'what aligns the clocks; default: commands for a guest and its host, else marks, else the clocks as named',
      choices: WAYS,
    },
    { flags: '--offset <times>', description: 'what to add to the times of the second trace and so on (-1.5s,200ms)' },
    { flags: '--json', description: 'one JSON document on stdout' },
  ],
  examples: [
    {
      command: 'iorr merge guest.iorr host.iorr -o run.iorr',
      does: 'both sides of a run, by the commands that both have',
    },
    { command: 'iorr merge a.iorr b.iorr --by marks -o run.iorr', does: 'by marks of the same text in both' },
    { command: 'iorr merge a.iorr b.iorr --offset -1.5s -o - | iorr info -', does: 'by an offset that you know' },
  ],
  async run(invocation) {
    const { io } = invocation;
    const task = readTask(invocation);
    checkInputs(task);
    const traces: OpenTrace[] = [];
    try {
      for (const file of task.files) traces.push(openTrace(file));
      const merged = await merge(task, traces, io);
      io.err(summary(merged));
      if (task.json) {
        const input = traces.map((trace, i) => describeInput(task.files[i]!, trace, trace.bytes));
        const sum = new Health();
        for (const trace of traces) sum.merge(trace.health);
        const result = { output: task.output, ...merged };
        const options = { by: task.by ?? null, offset: task.offsets?.map(String) ?? null };
        io.out(toJson(makeEnvelope('merge', { version: toolVersion(), input, options, health: sum.report(), result })));
      }
      return merged.complete ? 0 : INTERRUPTED;
    } finally {
      for (const trace of traces) trace.close();
    }
  },
};
