import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runWithUsage } from './child-usage.ts';
import type { ChildUsage } from './child-usage.ts';

/** Full figures of the built command on large inputs. Slow; each runs in a process of its own. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it should be at least or at most. */
  readonly limit: { readonly least: number } | { readonly most: number };
  /** The command that was measured. */
  readonly command: string;
}

export function meets({ value, limit }: Figure): boolean {
  return 'least' in limit ? value >= limit.least : value <= limit.most;
}

/** Where the built command is, where captures are (if they are), and where files may be written. */
export interface FigurePlaces {
  readonly cli: string;
  readonly captures: string;
  readonly scratch: string;
}

interface Outcome {
  readonly usage: ChildUsage;
  readonly command: string;
  readonly result: { readonly [name: string]: unknown };
}

const MIB = 1024 * 1024;

async function iorr(places: FigurePlaces, args: readonly string[]): Promise<Outcome> {
  const usage = await runWithUsage(places.cli, [...args, '--json']);
  const command = `iorr ${args.map((arg) => arg.replace(`${places.scratch}/`, '')).join(' ')}`;
  if (usage.code !== 0) throw new Error(`${command} exited with ${usage.code}: ${usage.stderr}`);
  const { result } = JSON.parse(usage.stdout) as { readonly result: Outcome['result'] };
  return { usage, command, result };
}

function number(result: Outcome['result'], name: string): number {
  const value = result[name];
  if (typeof value !== 'number') throw new TypeError(`no number ${name} in the result`);
  return value;
}

/** Import of the strict guest capture: speed for each second of CPU time, process start included, and size. */
export async function importFigures(places: FigurePlaces): Promise<readonly Figure[]> {
  const input = join(places.captures, 'vtd-strict-6.12/trace.txt.zst');
  const output = join(places.scratch, 'strict-guest.iorr');
  const { usage, command, result } = await iorr(places, ['import', input, '-o', output]);
  const lines = number(result, 'lines');
  const size = number(result, 'bytesPerEvent');
  return [
    { name: 'import', value: lines / usage.cpuSeconds, unit: 'lines/s of a core', limit: { least: 500_000 }, command },
    { name: 'import, memory', value: usage.peakBytes / MIB, unit: 'MiB', limit: { most: 600 }, command },
    { name: 'size', value: size, unit: 'bytes/event', limit: { most: 1.5 }, command },
  ];
}

/** Replay of the strict emulator log, played again and again until there are more than 30 M events. */
export async function replayFigures(places: FigurePlaces): Promise<readonly Figure[]> {
  const input = join(places.captures, 'vtd-strict-6.12/qemu_trace.log.zst');
  const log = join(places.scratch, 'strict-host.iorr');
  const imported = await iorr(places, ['import', input, '-o', log]);
  const repeat = Math.ceil(30_000_000 / number(imported.result, 'events')) + 1;
  const { usage, command, result } = await iorr(places, ['replay', log, '--repeat', String(repeat)]);
  const played = number(result, 'events');
  return [
    {
      name: 'replay, as it says itself',
      value: number(result, 'eventsPerSecond'),
      unit: 'events/s',
      limit: { least: 10_000_000 },
      command,
    },
    {
      name: 'replay, by CPU time of the whole process',
      value: played / usage.cpuSeconds,
      unit: 'events/s of a core',
      limit: { least: 0 },
      command,
    },
    { name: 'replayed', value: played, unit: 'events', limit: { least: 30_000_000 }, command },
    { name: 'replay, memory', value: usage.peakBytes / MIB, unit: 'MiB', limit: { most: 600 }, command },
  ];
}

/** A generated trace of 100 M events: memory while it is made, and while it is replayed. */
export async function largeTraceFigures(places: FigurePlaces): Promise<readonly Figure[]> {
  const file = join(places.scratch, 'large.iorr');
  try {
    const made = await iorr(places, ['simulate', 'dma', '-o', file, '--set', 'events=100M']);
    const replayed = await iorr(places, ['replay', file]);
    const events = number(made.result, 'events');
    return [
      {
        name: 'simulate',
        value: events / made.usage.cpuSeconds,
        unit: 'events/s of a core',
        limit: { least: 0 },
        command: made.command,
      },
      {
        name: 'simulate, memory',
        value: made.usage.peakBytes / MIB,
        unit: 'MiB',
        limit: { most: 300 },
        command: made.command,
      },
      {
        name: 'replay of 100 M events',
        value: number(replayed.result, 'events'),
        unit: 'events',
        limit: { least: 100_000_000 },
        command: replayed.command,
      },
      {
        name: 'replay of 100 M events, memory',
        value: replayed.usage.peakBytes / MIB,
        unit: 'MiB',
        limit: { most: 600 },
        command: replayed.command,
      },
    ];
  } finally {
    rmSync(file, { force: true });
  }
}

export function hasCaptures(places: FigurePlaces): boolean {
  return existsSync(join(places.captures, 'vtd-strict-6.12/trace.txt.zst'));
}

/** One line per figure, with its limit and command. */
export function describeFigure(figure: Figure): string {
  const bound = 'least' in figure.limit ? `at least ${figure.limit.least}` : `at most ${figure.limit.most}`;
  const value = figure.value >= 1000 ? Math.round(figure.value).toString() : figure.value.toPrecision(3);
  return `${meets(figure) ? 'ok  ' : 'MISS'} ${figure.name}: ${value} ${figure.unit} (${bound}) - ${figure.command}`;
}
