import { OUTCOME, STREAM_ID } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import { pageNumber } from '../../../traces/units.ts';
import type { Nanoseconds, PageNumber } from '../../../traces/units.ts';
import { EventCursor } from './event-cursor.ts';
import { NumberList } from './int-list.ts';

/** Times of the same happenings on both clocks, in the order of the host's. */
interface ClockPairs {
  readonly host: Float64Array;
  readonly guest: Float64Array;
  /** Number of each pair's map among all. */
  readonly map: Int32Array;
}

/** What accesses show of the clocks. */
export interface AccessClock {
  readonly pairs: ClockPairs;
  /** The straight line below nearly all pairs: a host's time in the guest's clock. */
  readonly toGuest: (host: Nanoseconds) => Nanoseconds;
  /** Share of the pairs whose access would come after the next unmap of its page, by this clock. */
  readonly late: (toGuest: (host: Nanoseconds) => Nanoseconds) => number;
}

/** Fewer pairs than this say nothing. */
export const LEAST_ACCESS_PAIRS = 32;
/** A page that is mapped to the same memory more often than this says little about which time is meant. */
const MOST_ALIKE = 64;
const COARSE: Nanoseconds = 1_000_000;
const MOST_BINS = 1 << 22;
/** An access through a new map comes so soon after it, to be of use at first. */
const SOON: Nanoseconds = 2_000_000;
/** And so soon in the end; it may seem to come so much before its map. */
const QUICK: Nanoseconds = 200_000;
const PRECISION: Nanoseconds = 50_000;
/** Clocks of one machine drift apart no faster. */
const DRIFT = 50e-6;
/** Stretches of the run whose lower edges are compared, and what makes an edge. */
const STRETCHES = 64;
const LEAST_IN_STRETCH = 8;
const CROWDED: Nanoseconds = 100_000;
/** The same map again within this time leaves open which one was used. */
const APART: Nanoseconds = 1_000_000_000;

/** First pages of maps, and accesses to pages, as lists in time order that hash to the same bucket. */
interface Sightings {
  readonly page: Float64Array;
  readonly out: Float64Array;
  readonly time: Float64Array;
}

/**
 * Where no command of the host follows from what the guest logged (lazy flushing on a unit whose commands the guest's kernel does
 * not log), the clocks are compared by accesses: a page-table walk that finds a page comes after its map, mostly at once.
 * Returns the pairs that are no older than `SOON` under the offset on which most agree; null if there are none.
 */
export function pairAccesses(guest: Trace, host: Trace): AccessClock | null {
  const maps = readMaps(guest);
  const walks = readWalks(host);
  const index = new Map<number, number[]>();
  for (let i = 0; i < maps.time.length; i++) {
    const key = keyOf(maps.page[i]!, maps.out[i]!);
    const list = index.get(key);
    if (list === undefined) index.set(key, [i]);
    else list.push(i);
  }
  const offset = voteOffset(maps, walks, index);
  if (offset === null) return null;
  let line: Line = { at: walks.time[0]!, offset, slope: 0 };
  // The clocks drift apart: first wide, then close to the line that the first found.
  for (const reach of [SOON, SOON / 4]) {
    const pairs = pairsNear(maps, walks, index, line, -reach, reach);
    const next = lowerEdge(pairs, line);
    if (next === null) return null;
    line = next;
  }
  const found = line;
  const pairs = pairsNear(maps, walks, index, found, -PRECISION, QUICK);
  const ends = endsOf(guest, maps, pairs);
  return {
    pairs,
    toGuest: (time) => time - offsetAt(found, time),
    late: (toGuest) => {
      let late = 0;
      pairs.host.forEach((time, k) => {
        if (toGuest(time) > ends[k]!) late++;
      });
      return late / Math.max(1, ends.length);
    },
  };
}

/** Host clock minus guest clock, as a line over the host's. */
interface Line {
  readonly at: Nanoseconds;
  readonly offset: Nanoseconds;
  readonly slope: number;
}

function offsetAt({ at, offset, slope }: Line, time: Nanoseconds): Nanoseconds {
  return offset + slope * (time - at);
}

/** Walks and the maps that they came first through, if that was no earlier and no later after the map than this. */
function pairsNear(
  maps: Sightings,
  walks: Sightings,
  index: ReadonlyMap<number, number[]>,
  line: Line,
  earliest: Nanoseconds,
  latest: Nanoseconds,
): ClockPairs {
  const host: number[] = [];
  const guest: number[] = [];
  const paired: number[] = [];
  const used = new Uint8Array(maps.time.length);
  for (let j = 0; j < walks.time.length; j++) {
    const list = index.get(keyOf(walks.page[j]!, walks.out[j]!));
    if (list === undefined) continue;
    const at = walks.time[j]! - offsetAt(line, walks.time[j]!);
    const map = nearest(maps, list, walks, j, at - earliest);
    if (map < 0 || used[map] === 1) continue;
    used[map] = 1;
    if (at - maps.time[map]! > latest) continue;
    host.push(walks.time[j]!);
    guest.push(maps.time[map]!);
    paired.push(map);
  }
  return { host: Float64Array.from(host), guest: Float64Array.from(guest), map: Int32Array.from(paired) };
}

/**
 * The line below which hardly any pair lies: nothing comes before its map, so what does is wrong, and scattered. Each stretch of
 * time has its edge; the line goes through most of them. Null if the pairs are too few.
 */
function lowerEdge({ host, guest }: ClockPairs, line: Line): Line | null {
  const stretch = Math.max(1, Math.ceil(host.length / STRETCHES));
  const edges: { readonly time: Nanoseconds; readonly level: Nanoseconds }[] = [];
  for (let from = 0; from + LEAST_IN_STRETCH <= host.length; from += stretch) {
    const to = Math.min(host.length, from + stretch);
    const levels = Float64Array.from({ length: to - from }, (_, k) => host[from + k]! - guest[from + k]!).sort();
    // Several within a short while: the first of the quick ones.
    const crowd = Math.max(3, Math.ceil(levels.length / 50));
    for (let k = 0; k + crowd <= levels.length; k++) {
      if (levels[k + crowd - 1]! - levels[k]! > CROWDED) continue;
      edges.push({ time: host[(from + to) >> 1]!, level: levels[k]! });
      break;
    }
  }
  if (edges.length === 0) return null;
  const slopes: number[] = [];
  const span = edges[edges.length - 1]!.time - edges[0]!.time;
  for (const a of edges) {
    for (const b of edges) {
      if (b.time - a.time > span / 4) slopes.push((b.level - a.level) / (b.time - a.time));
    }
  }
  slopes.sort((a, b) => a - b);
  const median = slopes[slopes.length >> 1] ?? line.slope;
  const slope = Math.abs(median) > DRIFT ? line.slope : median;
  const rest = edges.map(({ time, level }) => level - slope * (time - line.at)).sort((a, b) => a - b);
  return { at: line.at, offset: rest[Math.floor(rest.length / 8)]!, slope };
}

/** The newest map of the page not after `until`, if no other one of it is near; else -1. */
function nearest(maps: Sightings, list: readonly number[], walks: Sightings, j: number, until: Nanoseconds): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (maps.time[list[middle]!]! <= until) low = middle + 1;
    else high = middle;
  }
  const found = list[low - 1];
  if (found === undefined || maps.page[found] !== walks.page[j] || maps.out[found] !== walks.out[j]) return -1;
  const time = maps.time[found]!;
  const before = list[low - 2];
  const after = list[low];
  if (before !== undefined && time - maps.time[before]! < APART) return -1;
  return after !== undefined && maps.time[after]! - time < APART ? -1 : found;
}

/** Host clock minus guest clock on which most equal pages agree; the lower edge of what piles up. */
function voteOffset(maps: Sightings, walks: Sightings, index: ReadonlyMap<number, number[]>): Nanoseconds | null {
  const n = walks.time.length;
  if (n === 0 || maps.time.length === 0) return null;
  const least = walks.time[0]! - maps.time[maps.time.length - 1]!;
  const range = walks.time[n - 1]! - maps.time[0]! - least;
  const coarse = piles(maps, walks, index, least, range, Math.max(COARSE, range / MOST_BINS));
  if (coarse === null) return null;
  const fine = piles(maps, walks, index, coarse.at - 2 * coarse.width, 6 * coarse.width, coarse.width / 50);
  return fine === null ? coarse.at : fine.at;
}

function piles(
  maps: Sightings,
  walks: Sightings,
  index: ReadonlyMap<number, number[]>,
  from: Nanoseconds,
  range: Nanoseconds,
  width: Nanoseconds,
): { readonly at: Nanoseconds; readonly width: Nanoseconds } | null {
  const bins = new Int32Array(Math.max(2, Math.ceil(range / width) + 2));
  for (let j = 0; j < walks.time.length; j++) {
    const list = index.get(keyOf(walks.page[j]!, walks.out[j]!));
    if (list === undefined || list.length > MOST_ALIKE) continue;
    for (const i of list) {
      const bin = Math.floor((walks.time[j]! - maps.time[i]! - from) / width);
      if (bin >= 0 && bin < bins.length) bins[bin]! += 1;
    }
  }
  let best = -1;
  let most = 0;
  for (let bin = 0; bin + 1 < bins.length; bin++) {
    const votes = bins[bin]! + bins[bin + 1]!;
    if (votes > most) {
      most = votes;
      best = bin;
    }
  }
  return best < 0 ? null : { at: from + best * width, width };
}

function keyOf(page: PageNumber, out: PageNumber): number {
  const high = Math.floor(page / 0x100000000) ^ Math.imul(Math.floor(out / 0x100000000) + 1, 0x27d4eb2f);
  const low = Math.imul((page | 0) ^ Math.imul(out | 0, 0x9e3779b1), 0x85ebca6b) ^ high;
  return low ^ (low >>> 15);
}

/** When each pair's page was unmapped next, in whatever domain; infinity for never. */
function endsOf(guest: Trace, maps: Sightings, pairs: ClockPairs): Float64Array {
  const waiting = new Map<PageNumber, number[]>();
  const ends = new Float64Array(pairs.map.length).fill(Number.POSITIVE_INFINITY);
  pairs.map.forEach((map, k) => {
    const page = maps.page[map]!;
    const list = waiting.get(page);
    if (list === undefined) waiting.set(page, [k]);
    else list.push(k);
  });
  const cursor = new EventCursor(guest, { columns: { unmap: ['origin', 'iova'] } });
  while (cursor.next()) {
    if (cursor.stream !== STREAM_ID.unmap) continue;
    const { columns } = cursor.segment!.rows.unmap;
    const { row, time } = cursor;
    if (columns.origin[row] !== 0) continue;
    for (const k of waiting.get(pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!)) ?? []) {
      if (time > pairs.guest[k]! && time < ends[k]!) ends[k] = time;
    }
  }
  return ends;
}

function readMaps(guest: Trace): Sightings {
  const page = new NumberList();
  const out = new NumberList();
  const time = new NumberList();
  const cursor = new EventCursor(guest, { columns: { map: ['origin', 'iova', 'phys'] } });
  while (cursor.next()) {
    if (cursor.stream !== STREAM_ID.map) continue;
    const { columns } = cursor.segment!.rows.map;
    const { row } = cursor;
    if (columns.origin[row] !== 0) continue;
    page.push(pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!));
    out.push(pageNumber(columns.physLo[row]!, columns.physHi[row]!));
    time.push(cursor.time);
  }
  return { page: page.view(), out: out.view(), time: time.view() };
}

/** Page-table walks; accesses of any kind where the source does not tell hit from miss. */
function readWalks(host: Trace): Sightings {
  const page = new NumberList();
  const out = new NumberList();
  const time = new NumberList();
  const cursor = new EventCursor(host, { columns: { dma: ['iova', 'outcome', 'out', 'pageShift'] } });
  while (cursor.next()) {
    if (cursor.stream !== STREAM_ID.dma) continue;
    const { columns } = cursor.segment!.rows.dma;
    const { row } = cursor;
    const outcome = columns.outcome[row]!;
    if ((outcome & (OUTCOME.fault | OUTCOME.bypass | OUTCOME.hit)) !== 0 || columns.pageShift[row]! > 12) continue;
    page.push(pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!));
    out.push(pageNumber(columns.outLo[row]!, columns.outHi[row]!));
    time.push(cursor.time);
  }
  return { page: page.view(), out: out.view(), time: time.view() };
}
