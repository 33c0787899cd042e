import type { PlainEvent } from '../../../traces/event.ts';
import { CALL_EVENT, CALL_NAMES, FLUSH_NAMES, ORIGIN_NAMES, OUTCOME } from '../../../traces/schema.ts';
import type { StreamName } from '../../../traces/schema.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { commandName, requestName } from '../stream-table.ts';
import type { Tracks } from './tracks.ts';

/** Where an event is drawn, under which name, and for how long it lasted until its time (0: an instant). */
export interface EventMark {
  readonly track: number;
  readonly name: string;
  readonly lasted: Nanoseconds;
}

/** 2^53 ns are 104 days; what is longer, or negative, is no duration. */
function duration(value: unknown): Nanoseconds {
  return typeof value === 'bigint' && value > 0n && value < 1n << 53n ? Number(value) : 0;
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : -1;
}

function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function dmaName(outcome: number): string {
  if ((outcome & OUTCOME.fault) !== 0) return 'dma fault';
  if ((outcome & OUTCOME.known) === 0) return 'dma';
  return (outcome & OUTCOME.hit) !== 0 ? 'dma hit' : 'dma miss';
}

type MarkOf = (event: PlainEvent, tracks: Tracks) => EventMark;

function onCpu(name: (event: PlainEvent) => string): MarkOf {
  return (event, tracks) => ({ track: tracks.cpu(event.cpu), name: name(event), lasted: 0 });
}

function onDevice(column: 'rid' | 'device', name: (event: PlainEvent) => string): MarkOf {
  return (event, tracks) => ({ track: tracks.device(number(event.fields[column])), name: name(event), lasted: 0 });
}

function mapping(verb: string): MarkOf {
  return onCpu(({ fields: { origin, call } }) => {
    const kind = number(call) > 0 ? ` ${CALL_NAMES[number(call)] ?? ''}` : '';
    return `${verb} ${ORIGIN_NAMES[number(origin)] ?? '?'}${kind}`;
  });
}

/** One line a stream; a stream that is new to the schema fails to compile until it has one. */
const MARKS: { readonly [S in StreamName]: MarkOf } = {
  ioctl: (event, tracks) => ({
    track: tracks.thread(number(event.fields['pid']), event.task),
    name: requestName(event) ?? 'ioctl',
    lasted: duration(event.fields['duration']),
  }),
  call: (event, tracks) => ({
    track: tracks.thread(number(event.fields['pid']), event.task),
    name: text(event.fields['name'], Object.keys(CALL_EVENT)[number(event.fields['event'])] ?? 'call'),
    lasted: duration(event.fields['duration']),
  }),
  inv: (event, tracks) => ({
    track: tracks.queue(text(event.fields['unit'], 'unit unknown'), Math.max(0, number(event.fields['queue']))),
    name: commandName(event) ?? 'command',
    lasted: duration(event.fields['lag']),
  }),
  dirty: (event, tracks) => ({
    track: tracks.memory('Dirty tracking'),
    name: `dirty ${text(event.fields['name'], '')}`.trim(),
    lasted: duration(event.fields['duration']),
  }),
  map: mapping('map'),
  unmap: mapping('unmap'),
  flush: onCpu(({ fields }) => `flush ${FLUSH_NAMES[number(fields['op'])] ?? ''}`.trim()),
  event: onCpu(({ fields }) => text(fields['name'], 'event')),
  attach: onDevice('device', () => 'attach'),
  dma: onDevice('rid', ({ fields }) => dmaName(number(fields['outcome']))),
  fault: onDevice('rid', () => 'fault'),
  prq: onDevice('rid', () => 'page request'),
  prs: onDevice('rid', () => 'page response'),
  lost: (event, tracks) => ({ track: tracks.cpu(event.cpu), name: 'events lost', lasted: 0 }),
  mark: (event, tracks) => ({ track: tracks.notes(), name: text(event.fields['text'], 'mark'), lasted: 0 }),
};

export function markOf(event: PlainEvent, tracks: Tracks): EventMark {
  return MARKS[event.stream](event, tracks);
}
