import type { Segment } from '../../traces/segment.ts';
import { CALL_EVENT, STREAM_ID } from '../../traces/schema.ts';
import type { BytesColumn } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { joinWords } from '../../traces/units.ts';
import { decodeUserMemory } from '../../traces/user-memory.ts';
import type { UserMemory } from '../../traces/user-memory.ts';

/** An ioctl or another call of a trace, in trace order. */
export interface CallEvent {
  readonly index: number;
  readonly stream: 'ioctl' | 'call' | 'lost';
  readonly row: number;
  readonly segment: Segment;
}

const NO_BYTES = new Uint8Array(0);

export function bytesOf(column: BytesColumn, row: number): Uint8Array {
  const from = column.offsets[row] ?? 0;
  const to = column.offsets[row + 1] ?? from;
  return from === to ? NO_BYTES : column.data.subarray(from, to);
}

export function memoryOf(column: BytesColumn, row: number): readonly UserMemory[] {
  const bytes = bytesOf(column, row);
  return bytes.length === 0 ? [] : decodeUserMemory(bytes);
}

/** A 64-bit column's value as a signed number: what calls return is far below 2^53. */
export function signed(lo: Int32Array, hi: Int32Array, row: number): number {
  return Number(BigInt.asIntN(64, joinWords(lo[row] ?? 0, hi[row] ?? 0)));
}

export function unsigned(lo: Int32Array, hi: Int32Array, row: number): number {
  return ((hi[row] ?? 0) >>> 0) * 2 ** 32 + ((lo[row] ?? 0) >>> 0);
}

/** The calls of a trace, and where some were lost. */
export function* callEvents(trace: Trace): Generator<CallEvent> {
  const plan = { columns: { ioctl: 'all', call: 'all', lost: 'all' } } as const;
  for (const segment of trace.segments(plan)) {
    let ioctl = 0;
    let call = 0;
    let lost = 0;
    for (let i = 0; i < segment.count; i++) {
      const index = segment.firstEvent + i;
      switch (segment.stream[i]) {
        case STREAM_ID.ioctl:
          yield { index, stream: 'ioctl', row: ioctl++, segment };
          break;
        case STREAM_ID.call:
          yield { index, stream: 'call', row: call++, segment };
          break;
        case STREAM_ID.lost:
          yield { index, stream: 'lost', row: lost++, segment };
          break;
        default:
      }
    }
  }
}

/** Who forked whom. A recorder may note a fork only after the child's first calls. */
export class Births {
  /** By child: events at which a parent's fork of it was noted, ascending. */
  readonly #forks = new Map<number, { readonly event: number; readonly parent: number }[]>();

  constructor(trace: Trace) {
    if (trace.streamCounts.call === 0) return;
    for (const segment of trace.segments({ columns: { call: ['event', 'pid', 'ret'] } })) {
      const { columns } = segment.rows.call;
      let row = -1;
      for (let i = 0; i < segment.count; i++) {
        if (segment.stream[i] !== STREAM_ID.call) continue;
        row++;
        if (columns.event[row] !== CALL_EVENT.fork) continue;
        const child = signed(columns.retLo, columns.retHi, row);
        const forks = this.#forks.get(child) ?? [];
        forks.push({ event: segment.firstEvent + i, parent: columns.pid[row] ?? 0 });
        this.#forks.set(child, forks);
      }
    }
  }

  /** The parent of a process whose first event this is. */
  parent(child: number, event: number): number | undefined {
    return this.#forks.get(child)?.find((fork) => fork.event >= event)?.parent;
  }
}
