import { IorrError } from '../../traces/errors.ts';
import { combineSources } from './combined-source.ts';
import { parseDuration, parseSize } from './quantity.ts';
import type { LiveOptions } from './live-source.ts';
import { findLiveSource } from './live-sources.ts';
import type { LiveSource } from './live-source.ts';
import { LIVE_SOURCES } from './live-sources.ts';
import type { System } from './system.ts';

/** What `iorr record` was asked to do. */
export interface RecordTask {
  readonly source: LiveSource;
  readonly live: LiveOptions;
  readonly output: string;
  /** The command and its arguments; undefined: record what runs already. */
  readonly command: readonly string[] | undefined;
  readonly pids: readonly number[];
  /** Milliseconds; undefined: until it is stopped. */
  readonly duration: number | undefined;
  /** Bytes of the file. */
  readonly maxSize: number | undefined;
  /** Milliseconds that are kept in memory until they are wanted. */
  readonly keepLast: number | undefined;
  readonly json: boolean;
  /** Shows what it is at. */
  readonly watched: boolean;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function optional<T>(value: unknown, parse: (text: string) => T): T | undefined {
  return typeof value === 'string' ? parse(value) : undefined;
}

function parsePid(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new IorrError('USAGE', `--pid expects a process id, got "${text}"`, { hint: 'pgrep NAME tells ids' });
}

/** `0x54,0xae` or `all`. */
function parseRequestTypes(names: readonly string[]): readonly number[] | 'all' {
  const types = names.flatMap((text) => text.split(','));
  if (types.includes('all')) return 'all';
  return types.map((text) => {
    const type = /^(?:0x[0-9a-f]{1,2}|\d{1,3})$/i.test(text) ? Number(text) : 256;
    if (type < 256) return type;
    throw new IorrError('USAGE', `--ioctl-type expects 0 to 255, or all; got "${text}"`, {
      hint: 'it is the letter of a request, as in linux/ioctl.h: 0xae for KVM',
    });
  });
}

function findSource(names: readonly string[]): LiveSource {
  const sources = names.flatMap((text) => text.split(',')).map(findLiveSource);
  const [first = LIVE_SOURCES[0], ...others] = sources;
  if (first === undefined) throw new IorrError('USAGE', 'no source is known');
  return others.length === 0 ? first : combineSources(sources);
}

/** The text for `--print-program`. Throws `IorrError` USAGE. */
export function readProgram(system: System, options: { readonly [key: string]: unknown }): string {
  const source = texts(options['source']).length === 0 ? findLiveSource('bpf') : findSource(texts(options['source']));
  const pids = texts(options['pid'])
    .flatMap((text) => text.split(','))
    .map(parsePid);
  const live = { events: [], filtered: pids.length > 0, processesOnly: false, bufferBytes: undefined };
  const requestTypes = parseRequestTypes(texts(options['ioctlType']));
  const program = source.program?.(system, { ...live, subBufferBytes: undefined, requestTypes }, pids);
  if (program !== undefined) return program;
  throw new IorrError('USAGE', `${source.name} runs no program`, { hint: '--source bpf --print-program' });
}

/** Why a command can't be run, with the exit code that shells have for it; undefined if it can. */
export function cannotRun(system: System, command: readonly string[]): IorrError | undefined {
  const [name = ''] = command;
  if (system.program(name) !== undefined) return undefined;
  if (name.includes('/') && system.access(name) !== 'absent') {
    return new IorrError('PROGRAM_NOT_EXECUTABLE', `${name}: not a program that you may run`);
  }
  return new IorrError('PROGRAM_NOT_FOUND', `${name}: command not found`);
}

/** Throws `IorrError` USAGE. */
export function readTask(args: readonly string[], options: { readonly [key: string]: unknown }): RecordTask {
  const { output } = options;
  const json = options['json'] === true;
  const command = args.length > 0 ? args : undefined;
  if (typeof output !== 'string' || output === '') {
    const example =
      command === undefined ? 'iorr record -o run.iorr' : `iorr record -o run.iorr -- ${command[0] ?? ''}`;
    throw new IorrError('USAGE', 'where to? -o FILE is missing', { hint: example });
  }
  if (output === '-' && (json || command !== undefined)) {
    const other = json ? '--json' : 'the command';
    throw new IorrError('USAGE', `-o - and ${other} would both write to stdout`, { hint: 'name a file with -o' });
  }
  const pids = texts(options['pid'])
    .flatMap((text) => text.split(','))
    .map(parsePid);
  if (pids.length > 0 && command !== undefined) {
    throw new IorrError('USAGE', '--pid and a command were given', { hint: 'record one or the other' });
  }
  if (options['keepLast'] !== undefined && (options['maxSize'] !== undefined || output === '-')) {
    throw new IorrError('USAGE', '--keep-last writes a file at the end: neither --max-size nor -o - fit it');
  }
  if (options['processesOnly'] === true && pids.length === 0 && command === undefined) {
    throw new IorrError('USAGE', '--processes-only: which processes?', { hint: 'add --pid PID, or -- CMD' });
  }
  const duration = optional(options['duration'], (text) => parseDuration('--duration', text));
  return {
    source: findSource(texts(options['source'])),
    live: {
      events: texts(options['event']),
      filtered: command !== undefined || pids.length > 0,
      processesOnly: options['processesOnly'] === true,
      bufferBytes: optional(options['bufferSize'], (text) => parseSize('--buffer-size', text)),
      subBufferBytes: optional(options['subBufferSize'], (text) => parseSize('--sub-buffer-size', text)),
      requestTypes: parseRequestTypes(texts(options['ioctlType'])),
    },
    output,
    command,
    pids,
    duration,
    maxSize: optional(options['maxSize'], (text) => parseSize('--max-size', text)),
    keepLast: optional(options['keepLast'], (text) => parseDuration('--keep-last', text)),
    json,
    watched: options['live'] === true,
  };
}
