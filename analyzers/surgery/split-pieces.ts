import { STREAM_ID } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import type { Nanoseconds, RequesterId } from '../../traces/units.ts';

/** A piece of a trace: events [`from`, `to`), and what its file is called after. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly name: string;
}

function numbered(starts: readonly number[], end: number, names?: readonly string[]): Piece[] {
  const digits = Math.max(3, String(starts.length - 1).length);
  return starts.map((from, i) => {
    const name = names?.[i] ?? '';
    return {
      from,
      to: starts[i + 1] ?? end,
      name: `${String(i).padStart(digits, '0')}${name === '' ? '' : `-${name}`}`,
    };
  });
}

/** Pieces of so many ns each, from the first event on; those without events are left out. */
export function piecesByTime(trace: Trace, every: Nanoseconds): Piece[] {
  const starts: number[] = [];
  let next = Number.NEGATIVE_INFINITY;
  for (const { firstEvent, count, time } of trace.segments({ columns: {}, reuse: true })) {
    for (let i = 0; i < count; i++) {
      if (time[i]! < next) continue;
      starts.push(firstEvent + i);
      const begun = Number.isFinite(next) ? next : time[i]!;
      next = begun + every * (Math.floor((time[i]! - begun) / every) + 1);
    }
  }
  return numbered(starts, trace.eventCount);
}

/** Pieces of so many events each. */
export function piecesByCount(trace: Trace, events: number): Piece[] {
  const starts = Array.from({ length: Math.ceil(trace.eventCount / events) }, (_, i) => i * events);
  return numbered(starts, trace.eventCount);
}

/** Pieces that begin at marks; what comes before the first is one, too. */
export function piecesByMark(trace: Trace): Piece[] {
  const starts: number[] = [];
  const names: string[] = [];
  for (const { firstEvent, count, stream, rows } of trace.segments({ columns: { mark: ['text'] }, reuse: true })) {
    let row = 0;
    for (let i = 0; i < count && row < rows.mark.count; i++) {
      if (stream[i] !== STREAM_ID.mark) continue;
      const text = trace.strings[rows.mark.columns.text[row++]!] ?? '';
      if (firstEvent + i > 0 && starts.length === 0) {
        starts.push(0);
        names.push('before');
      }
      starts.push(firstEvent + i);
      names.push(fileName(text));
    }
  }
  return numbered(starts, trace.eventCount, names);
}

/** Of a text, what every file system takes. */
function fileName(text: string): string {
  return text
    .replace(/[^A-Za-z0-9._]+/g, '-')
    .replace(/^[-.]+|-+$/g, '')
    .slice(0, 60);
}

const DEVICES = {
  map: ['device'],
  unmap: ['device'],
  attach: ['device'],
  dma: ['rid'],
  fault: ['rid'],
  prq: ['rid'],
  prs: ['rid'],
  flush: ['device'],
} as const;

/** Requester ids that events name, in order. */
export function devicesOf(trace: Trace): RequesterId[] {
  const found = new Set<number>();
  for (const { rows } of trace.segments({ columns: DEVICES, reuse: true })) {
    for (const name of ['map', 'unmap', 'attach', 'flush'] as const) {
      for (let i = 0; i < rows[name].count; i++) found.add(rows[name].columns.device[i]!);
    }
    for (const name of ['dma', 'fault', 'prq', 'prs'] as const) {
      for (let i = 0; i < rows[name].count; i++) found.add(rows[name].columns.rid[i]!);
    }
  }
  found.delete(ABSENT);
  return [...found].sort((a, b) => a - b);
}
