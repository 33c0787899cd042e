import { STREAM_ID, STREAM_NAMES } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';

/**
 * How far apart two sources may see one event, in ns: both are called by the kernel one after the other, and a task may be
 * moved from its CPU in between.
 */
export const APART_NS = 5_000_000;
/** What is older than this is not looked for any more. */
const KEEP_NS = 2 * APART_NS;
/** Events that are remembered at most; those of a task that makes more calls at once are not found again. */
const MAX_REMEMBERED = 1_000_000;

/** An event that the richer source saw. */
interface Seen {
  readonly from: number;
  readonly to: number;
  used: boolean;
}

/** Columns whose values tell an event from another of the same task; the 64-bit ones by their words. */
const KEYS: { readonly [stream: string]: readonly string[] } = {
  ioctl: ['request'],
  map: ['iovaLo', 'iovaHi', 'sizeLo', 'sizeHi'],
  unmap: ['iovaLo', 'iovaHi', 'sizeLo', 'sizeHi'],
};

/**
 * Finds events of one source that a richer one saw as well. A thread is in one call at a time: two ioctls of it that overlap in
 * time are one. Maps and unmaps are the same with the same task and addresses at the same time.
 */
export class SameEvents {
  readonly #seen = new Map<string, Seen[]>();
  #count = 0;

  /** Remembers what the richer source saw. */
  add(segment: Segment, text: (ref: number) => string | undefined): void {
    const rows = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < segment.count; i++) {
      const stream = segment.stream[i] ?? 0;
      const row = rows[stream] ?? 0;
      rows[stream] = row + 1;
      const key = keyOf(segment, stream, row, segment.task[i] ?? -1, text);
      if (key === undefined || this.#count >= MAX_REMEMBERED) continue;
      const to = segment.time[i] ?? 0;
      const seen = { from: to - durationOf(segment, stream, row), to, used: false };
      const list = this.#seen.get(key);
      this.#count++;
      if (list === undefined) this.#seen.set(key, [seen]);
      else list.push(seen);
    }
  }

  /** Whether the richer source saw this event. Each of its own stands for one. */
  has(
    segment: Segment,
    stream: number,
    row: number,
    time: number,
    task: number,
    text: (ref: number) => string | undefined,
  ): boolean {
    const key = keyOf(segment, stream, row, task, text);
    const list = key === undefined ? undefined : this.#seen.get(key);
    if (list === undefined) return false;
    const from = time - durationOf(segment, stream, row);
    // A call that lasts overlaps with itself; what is but a moment may be seen a little earlier or later.
    const apart = stream === STREAM_ID.ioctl ? 0 : APART_NS;
    const same = list.find((one) => !one.used && one.from - apart <= time && one.to + apart >= from);
    if (same === undefined) return false;
    same.used = true;
    return true;
  }

  /** Forgets what is long over. */
  forget(now: number): void {
    for (const [key, list] of this.#seen) {
      const kept = list.filter(({ to }) => to >= now - KEEP_NS);
      this.#count -= list.length - kept.length;
      if (kept.length === 0) this.#seen.delete(key);
      else if (kept.length < list.length) this.#seen.set(key, kept);
    }
  }
}

function keyOf(
  segment: Segment,
  stream: number,
  row: number,
  task: number,
  text: (ref: number) => string | undefined,
): string | undefined {
  const name = STREAM_NAMES[stream];
  if (name === 'call') {
    const { columns } = segment.rows.call;
    // Other events of processes are those of one source alone.
    return columns.event[row] === 0 ? `call ${task} ${text(columns.name[row] ?? -1) ?? ''}` : undefined;
  }
  const keys = name === undefined ? undefined : KEYS[name];
  if (name === undefined || keys === undefined) return undefined;
  const columns = segment.rows[name].columns as unknown as { readonly [column: string]: Int32Array | undefined };
  return `${name} ${task} ${keys.map((key) => columns[key]?.[row] ?? 0).join(' ')}`;
}

function durationOf(segment: Segment, stream: number, row: number): number {
  if (stream !== STREAM_ID.ioctl && stream !== STREAM_ID.call) return 0;
  const { columns } = stream === STREAM_ID.ioctl ? segment.rows.ioctl : segment.rows.call;
  return (columns.durationLo[row] ?? 0) + 0 === 0 && (columns.durationHi[row] ?? 0) === 0
    ? 0
    : (columns.durationHi[row] ?? 0) * 4294967296 + ((columns.durationLo[row] ?? 0) >>> 0);
}
