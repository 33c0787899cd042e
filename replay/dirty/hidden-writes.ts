import type { Nanoseconds } from '../../traces/units.ts';
import { OPERATION } from './write-stream.ts';
import type { WriteStream } from './write-stream.ts';

/** Writes that are added for one that was seen, between two harvests. */
const MOST_REPEATS = 8;
/** Pages whose rate is estimated: 16 GiB. */
const MOST_PAGES = 2 ** 22;

/** What is known of a page: how often it was seen to be written, and for how long a write would have been seen. */
interface Watched {
  seen: number;
  clean: Nanoseconds;
  /** Harvest since which it is clean; -1: it was written since. */
  since: number;
}

/**
 * A log that shows a write only while its page is clean hides those that follow until the next harvest. They are added as
 * often as the page was written while writes to it could be seen: its writes over the time in which it was clean. A migration
 * that harvests at other times than the recorded one would find hot pages clean without them.
 */
export function withHiddenWrites(stream: WriteStream): WriteStream {
  const { harvests, startNs, endNs } = stream;
  if (stream.source !== 'ram' || harvests.length === 0) return stream;
  const bounds = [startNs, ...harvests.filter((at) => at > startNs && at < endNs), endNs];
  const watched = watch(stream, bounds);
  const times: number[] = [];
  const pages: number[] = [];
  each(stream, bounds, (page, at, interval, first) => {
    const known = watched.get(page);
    if (!first || known === undefined || known.seen < 2) return;
    const end = bounds[interval + 1]!;
    const gap = Math.max(known.clean / known.seen, (end - bounds[interval]!) / MOST_REPEATS);
    for (let next = at + gap; next < end; next += gap) {
      times.push(next);
      pages.push(page);
    }
  });
  return merged(stream, times, pages);
}

/** Tells each page of each write after the start, with the interval that it lies in, and whether it is its first there. */
function each(
  { kind, time, page, count, length }: WriteStream,
  bounds: readonly Nanoseconds[],
  told: (page: number, at: Nanoseconds, interval: number, first: boolean) => void,
): void {
  const last = new Map<number, number>();
  let interval = 0;
  for (let i = 0; i < length; i++) {
    if (kind[i] !== OPERATION.write || time[i]! < bounds[0]!) continue;
    while (interval + 2 < bounds.length && time[i]! >= bounds[interval + 1]!) interval++;
    for (let p = page[i]!; p < page[i]! + count[i]!; p++) {
      const first = last.get(p) !== interval;
      if (first && (last.has(p) || last.size < MOST_PAGES)) last.set(p, interval);
      told(p, time[i]!, interval, first);
    }
  }
}

/** For each page, the time in which it was clean and how often that ended. */
function watch(stream: WriteStream, bounds: readonly Nanoseconds[]): ReadonlyMap<number, Watched> {
  const watched = new Map<number, Watched>();
  each(stream, bounds, (page, at, interval, first) => {
    if (!first) return;
    let known = watched.get(page);
    if (known === undefined) {
      if (watched.size >= MOST_PAGES) return;
      known = { seen: 0, clean: 0, since: 0 };
      watched.set(page, known);
    }
    known.seen++;
    known.clean += at - bounds[known.since]!;
    known.since = interval + 1;
  });
  const end = bounds.at(-1)!;
  for (const known of watched.values()) known.clean += Math.max(0, end - bounds[known.since]!);
  return watched;
}

/** The stream with writes to single pages at more times, in order. */
function merged(stream: WriteStream, times: readonly number[], pages: readonly number[]): WriteStream {
  const order = Uint32Array.from(times.keys()).sort((a, b) => times[a]! - times[b]!);
  const length = stream.length + order.length;
  const kind = new Uint8Array(length).fill(OPERATION.write);
  const space = new Uint16Array(length);
  const time = new Float64Array(length);
  const page = new Float64Array(length);
  const count = new Int32Array(length).fill(1);
  let added = 0;
  for (let i = 0, to = 0; to < length; to++) {
    const extra = order[added];
    if (extra !== undefined && (i >= stream.length || times[extra]! < stream.time[i]!)) {
      time[to] = times[extra]!;
      page[to] = pages[extra]!;
      added++;
      continue;
    }
    kind[to] = stream.kind[i]!;
    space[to] = stream.space[i]!;
    time[to] = stream.time[i]!;
    page[to] = stream.page[i]!;
    count[to] = stream.count[i++]!;
  }
  return { ...stream, length, kind, space, time, page, count };
}
