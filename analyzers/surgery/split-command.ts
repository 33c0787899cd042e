import type { CommandInvocation, CommandSpec } from '../../traces/command.ts';
import { INTERRUPTED } from '../../traces/command.ts';
import { describeInput, makeEnvelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { openTrace } from '../../traces/file.ts';
import type { OpenTrace } from '../../traces/file.ts';
import { toJson } from '../../traces/plain-json.ts';
import { toolVersion } from '../../traces/tool.ts';
import { formatRequester } from '../../traces/units.ts';
import { parseDuration } from '../duration.ts';
import { formatCount } from '../report/format-units.ts';
import { printable } from '../report/escape.ts';
import { cutWindow } from './cut-window.ts';
import { filterTrace } from './filter-trace.ts';
import { checkNotInput, reshapeTask, writeReshaped } from './reshape-file.ts';
import { devicesOf, piecesByCount, piecesByMark, piecesByTime } from './split-pieces.ts';
import type { Piece } from './split-pieces.ts';
import type { Surgery } from './surgery.ts';

/** More files than this are a slip of the pen. */
const MOST_PIECES = 1000;
const WAYS = ['every', 'size', 'marks', 'devices'] as const;
const UNITS: { readonly [unit: string]: number } = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** `64MiB`, `500k`. Throws USAGE. */
function parseSize(text: string): number {
  // 64MiB: number, unit
  const [, number, unit = ''] = /^(\d{1,12})(?:([kmg])(?:i?b)?|b)?$/i.exec(text) ?? [];
  const bytes = Number(number) * (UNITS[unit.toLowerCase()] ?? 0);
  if (number !== undefined && bytes > 0) return bytes;
  throw new IorrError('USAGE', `--size: a size such as 64MiB expected, found ${JSON.stringify(text)}`, {
    hint: 'units are KiB, MiB and GiB',
  });
}

interface Part {
  readonly name: string;
  readonly make: () => Surgery<object>;
}

function parts(trace: OpenTrace, way: (typeof WAYS)[number], value: unknown): Part[] {
  const windows = (pieces: readonly Piece[]): Part[] =>
    pieces.map(({ from, to, name }) => ({ name, make: () => cutWindow(trace, from, to) }));
  switch (way) {
    case 'every': {
      const every = parseDuration(String(value), '--every');
      if (every <= 0) throw new IorrError('USAGE', '--every: more than nothing expected', { hint: '--every 10s' });
      return windows(piecesByTime(trace, every));
    }
    case 'size': {
      const events = Math.floor((parseSize(String(value)) * trace.eventCount) / trace.bytes);
      return windows(piecesByCount(trace, Math.max(1, events)));
    }
    case 'marks':
      return windows(piecesByMark(trace));
    default:
      return devicesOf(trace).map((device) => ({
        name: formatRequester(device).replaceAll(':', '-'),
        make: () => filterTrace(trace, { device }),
      }));
  }
}

async function run(invocation: CommandInvocation): Promise<number> {
  const { io, options } = invocation;
  const task = reshapeTask('split', invocation);
  const { output: prefix } = task;
  const given = WAYS.filter((way) => options[way] !== undefined);
  const [way] = given;
  if (way === undefined || given.length > 1) {
    throw new IorrError('USAGE', `one way to split expected, found ${given.length === 0 ? 'none' : given.join(', ')}`, {
      hint: '--every 10s, --size 64MiB, --marks or --devices',
    });
  }
  if (prefix === '-') {
    throw new IorrError('USAGE', '-o -: several traces do not go to one stream', {
      hint: '-o part writes part-000.iorr and so on',
    });
  }
  const trace = openTrace(task.input);
  try {
    const all = parts(trace, way, options[way]);
    if (all.length === 0) {
      throw new IorrError('STREAM_MISSING', `there are no ${way === 'marks' ? 'marks' : 'events'} to split at`, {
        place: { file: task.input },
        hint: '--every 10s splits by time',
      });
    }
    if (all.length > MOST_PIECES) {
      throw new IorrError('LIMIT', `${all.length} files would be written, ${MOST_PIECES} at most`, {
        hint: `a larger --${way}`,
      });
    }
    const paths = all.map(({ name }) => `${prefix}-${name}.iorr`);
    for (const path of paths) checkNotInput(path, task.input);
    const files: { file: string; events: number; bytes: number }[] = [];
    const facts = { notes: trace.notes, health: () => trace.health };
    for (const [i, { make }] of all.entries()) {
      const file = paths[i]!;
      const { events, bytes, complete } = await writeReshaped(io, 'split', facts, make(), file, (done) => ({
        by: way,
        piece: i,
        of: all.length,
        ...done,
      }));
      if (!complete) return INTERRUPTED;
      files.push({ file, events, bytes });
      io.err(`iorr: ${printable(file)}: ${formatCount(events)} events\n`);
    }
    if (task.json) {
      const input = [describeInput(task.input, trace, trace.bytes)];
      const { health } = trace;
      const value = options[way];
      const effective = { [way]: typeof value === 'string' ? value : true };
      const parts = { version: toolVersion(), input, options: effective, health, result: { by: way, files } };
      io.out(toJson(makeEnvelope('split', parts)));
    }
    return 0;
  } finally {
    trace.close();
  }
}

export const splitCommand: CommandSpec = {
  name: 'split',
  summary: 'writes a trace as several: by time, size, marks or device',
  args: ['FILE'],
  options: [
    { flags: '-o, --output <prefix>', description: 'what the files are called: PREFIX-000.iorr and so on' },
    { flags: '--every <time>', description: 'a file for so much time (10s)' },
    { flags: '--size <bytes>', description: 'files of about so many bytes (64MiB)' },
    { flags: '--marks', description: 'a file for each mark, called after it' },
    { flags: '--devices', description: 'a file for each device, with what names it' },
    { flags: '--json', description: 'one JSON document on stdout' },
  ],
  examples: [
    { command: 'iorr split run.iorr --marks -o phase', does: 'phase-000-before.iorr, phase-001-fio-randrw.iorr, ...' },
    { command: 'iorr split run.iorr --every 10s -o part', does: 'ten seconds each, every one replays by itself' },
    { command: 'iorr split run.iorr --devices -o device', does: 'device-0000-00-04.0.iorr and so on' },
  ],
  run,
};
