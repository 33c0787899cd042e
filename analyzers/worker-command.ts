import { availableParallelism, homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { serveSweeps } from '../replay/cluster/serve-sweeps.ts';
import { TraceCache } from '../replay/cluster/trace-cache.ts';
import { pointRunner } from '../replay/sweep/sweep-cluster.ts';
import type { CommandInvocation, CommandSpec } from '../traces/command.ts';
import { INTERRUPTED } from '../traces/command.ts';
import { IorrError } from '../traces/errors.ts';
import { REDIS_OPTIONS, redisOption } from './redis-option.ts';
import { wholeNumberOption } from './whole-number-option.ts';

const MOST_JOBS = 1024;
const DEFAULT_SIZE = '20G';
const UNITS: { readonly [unit: string]: number } = { M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

function textOf(options: CommandInvocation['options'], name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

function sizeOption(text: string): number {
  // 20G: number, unit
  const [, number, unit = ''] = /^(\d{1,6})([MGT])$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (number !== undefined && factor !== undefined && Number(number) > 0) return Number(number) * factor;
  throw new IorrError('USAGE', `--cache-size ${text}: a size expected`, { hint: 'for example 500M, 20G or 1T' });
}

/** Of this user, where other programs keep what can be fetched again. */
function defaultCache(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'iorr');
}

export const workerCommand: CommandSpec = {
  name: 'worker',
  summary: 'runs points of the sweeps that others started with iorr sweep --redis',
  args: [],
  options: [
    ...REDIS_OPTIONS,
    { flags: '--jobs <number>', description: 'points at a time; default: the CPUs of the machine' },
    { flags: '--cache <folder>', description: 'where traces are kept; default: ~/.cache/iorr' },
    {
      flags: '--cache-size <size>',
      description: 'bytes of traces that are kept at most: 500M, 20G',
      default: DEFAULT_SIZE,
    },
    { flags: '--once', description: 'ends when no sweep has anything left to do' },
  ],
  examples: [
    { command: 'iorr worker --redis redis://10.0.0.5', does: 'serves all sweeps of that Redis, on all CPUs' },
    {
      command:
        'IORR_REDIS_PASSWORD=... iorr worker --redis rediss://iorr@redis.example:6380/2 --jobs 8 --cache /var/tmp/iorr',
      does: 'with TLS and a password, on 8 CPUs, traces on another disk',
    },
    { command: 'iorr worker --redis redis://10.0.0.5 --once', does: 'as a batch job: ends when all is done' },
  ],
  async run({ options, io }) {
    const slots = wholeNumberOption(options, 'jobs', 1, MOST_JOBS, availableParallelism());
    const size = sizeOption(textOf(options, 'cacheSize') ?? DEFAULT_SIZE);
    const folder = textOf(options, 'cache') ?? defaultCache();
    const link = await redisOption(options);
    if (link === undefined) {
      throw new IorrError('USAGE', 'a Redis expected', { hint: 'iorr worker --redis redis://HOST:6379' });
    }
    const leave = new AbortController();
    const onSignal = (): void => leave.abort();
    process.on('SIGTERM', onSignal);
    try {
      const cache = new TraceCache(folder, size);
      io.err(`worker of ${link.address.shown}, ${slots} points at a time, traces in ${folder}\n`);
      const { tasks, sweeps } = await serveSweeps({
        link,
        host: hostname(),
        slots,
        cache,
        open: (file) => pointRunner(file, slots),
        note: (text) => io.err(text),
        once: options['once'] === true,
        stop: io.signal,
        leave: leave.signal,
      });
      io.err(`${tasks} tasks of ${sweeps} sweeps done\n`);
      return io.signal.aborted ? INTERRUPTED : 0;
    } finally {
      process.off('SIGTERM', onSignal);
      link.close();
    }
  },
};
