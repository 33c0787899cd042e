import type { CommandOption } from '../traces/command.ts';
import { IorrError } from '../traces/errors.ts';
import type { PlainEvent } from '../traces/event.ts';
import { nearest } from '../traces/nearest.ts';
import { STREAM_NAMES } from '../traces/schema.ts';
import type { StreamName } from '../traces/schema.ts';
import type { ReadPlan } from '../traces/trace.ts';
import { ABSENT, parseRequester } from '../traces/units.ts';
import { parseDuration } from './duration.ts';

/** Options of a command that reads some of a trace's events: of which streams, and when. `end`: what the end is called there. */
export function timeFlags(end = '--to'): readonly CommandOption[] {
  return [
    {
      flags: '--stream <names>',
      values: STREAM_NAMES,
      list: true,
      description: `only these streams: ${STREAM_NAMES.join(', ')}`,
      repeatable: true,
    },
    { flags: '--from <time>', description: 'only events at or after this time of the trace (1.5s, 200ms)' },
    { flags: `${end} <time>`, description: 'only events before this time of the trace' },
  ];
}

/** ... and of what. */
export const OBJECT_FLAGS: readonly CommandOption[] = [
  { flags: '--device <function>', description: 'only events of this PCI function (0000:00:04.0)' },
  { flags: '--domain <id>', description: 'only events of this domain id' },
  { flags: '--iova <range>', description: 'only events that touch this address or range (0x1000-0x1fff)' },
];

/** Which events to show. What is undefined lets everything through. */
export interface EventFilter {
  readonly streams?: ReadonlySet<StreamName>;
  readonly from?: number;
  readonly to?: number;
  /** Index in the trace of the first event. */
  readonly fromEvent?: number;
  readonly device?: number;
  readonly domain?: number;
  /** A process: its calls, and what its threads did. Looked at by `filterTrace` alone. */
  readonly pid?: number;
  /** Inclusive bounds; an event matches if its range touches them. */
  readonly iova?: { readonly first: bigint; readonly last: bigint };
}

function parseAddress(text: string): bigint {
  if (!/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text)) {
    throw new IorrError(
      'USAGE',
      `--iova: an address such as 0xffe38000 or a range 0x1000-0x1fff expected, found ${JSON.stringify(text)}`,
    );
  }
  return BigInt.asUintN(64, BigInt(text));
}

/** From the options `stream`, `from`, `to`, `device`, `domain`, `iova`. Throws USAGE with the nearest word. */
export function parseFilter(options: { readonly [key: string]: unknown }): EventFilter {
  const filter: { -readonly [K in keyof EventFilter]: EventFilter[K] } = {};
  const streams = options['stream'];
  if (Array.isArray(streams)) {
    const names = streams.flatMap((item) => String(item).split(','));
    filter.streams = new Set(
      names.map((name) => {
        const known = STREAM_NAMES.find((stream) => stream === name);
        if (known !== undefined) return known;
        const meant = nearest(name, STREAM_NAMES);
        const guess = meant === undefined ? '' : `; did you mean ${meant}?`;
        throw new IorrError('USAGE', `--stream: there is no stream ${JSON.stringify(name)}${guess}`, {
          hint: `streams are ${STREAM_NAMES.join(', ')}`,
        });
      }),
    );
  }
  if (typeof options['from'] === 'string') filter.from = parseDuration(options['from'], '--from');
  if (typeof options['to'] === 'string') filter.to = parseDuration(options['to'], '--to');
  if (typeof options['fromEvent'] === 'string') {
    filter.fromEvent = Number(options['fromEvent']);
    if (!/^\d{1,15}$/.test(options['fromEvent'])) {
      const found = JSON.stringify(options['fromEvent']);
      throw new IorrError('USAGE', `--from-event: the number of an event expected, found ${found}`);
    }
  }
  if (typeof options['device'] === 'string') {
    filter.device = parseRequester(options['device']);
    if (filter.device === ABSENT) {
      throw new IorrError(
        'USAGE',
        `--device: a PCI function such as 0000:00:04.0 expected, found ${JSON.stringify(options['device'])}`,
      );
    }
  }
  if (typeof options['domain'] === 'string') {
    filter.domain = Number(options['domain']);
    if (!Number.isInteger(filter.domain)) throw new IorrError('USAGE', '--domain: a domain id expected');
  }
  if (typeof options['pid'] === 'string') {
    filter.pid = Number(options['pid']);
    if (!/^\d{1,10}$/.test(options['pid']) || filter.pid > 0x7fff_ffff) {
      throw new IorrError('USAGE', `--pid: a process id expected, found ${JSON.stringify(options['pid'])}`);
    }
  }
  if (typeof options['iova'] === 'string') {
    const [first = '', last = first] = options['iova'].split('-');
    filter.iova = { first: parseAddress(first), last: parseAddress(last) };
  }
  return filter;
}

function rangeOf(event: PlainEvent): { first: bigint; last: bigint } | undefined {
  const { iova, size, length, start, end } = event.fields;
  if (typeof start === 'bigint' && typeof end === 'bigint') return { first: start, last: end };
  if (typeof iova !== 'bigint') return undefined;
  const bytes =
    typeof size === 'bigint'
      ? size
      : typeof length === 'bigint'
        ? length
        : BigInt(typeof length === 'number' ? length : 1);
  return { first: iova, last: bytes > 0n ? iova + bytes - 1n : iova };
}

export function matches(filter: EventFilter, event: PlainEvent): boolean {
  if (filter.streams !== undefined && !filter.streams.has(event.stream)) return false;
  if (filter.from !== undefined && event.time < filter.from) return false;
  if (filter.to !== undefined && event.time >= filter.to) return false;
  if (filter.fromEvent !== undefined && event.index < filter.fromEvent) return false;
  if (filter.device !== undefined && event.fields['device'] !== filter.device && event.fields['rid'] !== filter.device)
    return false;
  if (filter.domain !== undefined && event.fields['domain'] !== filter.domain) return false;
  if (filter.iova !== undefined) {
    const range = rangeOf(event);
    if (range === undefined || range.last < filter.iova.first || range.first > filter.iova.last) return false;
  }
  return true;
}

/** What of a trace has to be read for a filter. */
export function planOf(filter: EventFilter): ReadPlan {
  const plan: { -readonly [K in keyof ReadPlan]: ReadPlan[K] } = {};
  if (filter.from !== undefined) plan.from = filter.from;
  if (filter.to !== undefined) plan.to = filter.to;
  if (filter.fromEvent !== undefined) plan.fromEvent = filter.fromEvent;
  if (filter.streams !== undefined)
    plan.columns = Object.fromEntries([...filter.streams].map((name) => [name, 'all' as const]));
  return plan;
}
