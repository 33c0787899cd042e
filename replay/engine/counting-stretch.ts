import { STREAM_ID } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { ReadPlan } from '../../traces/trace.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { CONTROL_COLUMNS } from './controls.ts';
import type { ControlCounts } from './controls.ts';
import { countingPlan, createCountingReplay } from './counting-replay.ts';
import type { CountingReplay, ReplayCounts } from './counting-replay.ts';
import type { CommandErrorCount } from '../results.ts';

/** Segments of a trace by number. */
export interface SegmentSource {
  readonly segmentCount: number;
  /** Rows of a segment by stream number. */
  segmentRows(number: number): readonly number[];
  /** Undefined for a damaged one. */
  readSegment(number: number, plan: ReadPlan): Segment | undefined;
}

/** What was counted in a stretch of a trace. */
export interface StretchCounts extends ReplayCounts {
  readonly controls: ControlCounts;
  readonly commandErrors: readonly CommandErrorCount[];
  readonly damaged: readonly number[];
}

/** What a stretch counted, and what the cache holds behind it. */
export interface StretchEnd {
  readonly counts: StretchCounts;
  readonly cache: Int32Array<ArrayBuffer>;
}

/** How far the cache got by itself: after so many segments of the stretch, what it held and had counted. */
interface Checkpoint {
  readonly segments: number;
  readonly cache: Int32Array;
  readonly counts: ReplayCounts;
}

const { map: MAP, unmap: UNMAP, attach: ATTACH } = STREAM_ID;
const FORWARD_PLAN = { map: CONTROL_COLUMNS.map, unmap: CONTROL_COLUMNS.unmap, attach: CONTROL_COLUMNS.attach };
/** Checkpoints are taken after 1, 2, 3, 4, 6, 8, 12, 16 ... segments, so many at most. */
const MOST_CHECKPOINTS = 16;

/**
 * Segments of a trace, counted by themselves: side by side with other stretches, and exactly. Page tables and attachments are
 * brought to where the stretch begins. The cache is empty there, as it was not in truth, so `finish` plays the beginning again from
 * what the cache really held, until it holds what it held the first time: from there on all is the same. With least recently used
 * replacement that is when each set has had as many new pages as it has ways.
 */
export class CountingStretch {
  /** Where it ends: the segment behind its last. May be set while steps are taken, ahead of them. */
  end: number;
  readonly #source: SegmentSource;
  readonly #hardware: HardwareProfile;
  readonly #damaged: number[] = [];
  readonly #checkpoints: Checkpoint[] = [];
  readonly #alone: CountingReplay;
  /** Plays the beginning again, of a stretch that does not begin where the trace does. */
  #again: CountingReplay | undefined;
  #from = 0;
  /** What was counted ahead of the stretch. */
  #before: ControlCounts;

  /** Of the whole trace, until it is told where to begin and to end. Throws `RangeError` for hardware that it is not for. */
  constructor(source: SegmentSource, hardware: HardwareProfile) {
    this.#source = source;
    this.#hardware = hardware;
    this.end = source.segmentCount;
    this.#alone = this.#newReplay();
    this.#before = copyOf(this.#alone.controls);
  }

  /** It begins at this segment, not before the one where it began: page tables and attachments are brought there. */
  goTo(from: number): void {
    const alone = this.#alone;
    const plan = { ...countingPlan(alone), columns: FORWARD_PLAN };
    for (let n = this.#from; n < from; n++) {
      const rows = this.#source.segmentRows(n);
      if ((rows[MAP] ?? 0) + (rows[UNMAP] ?? 0) + (rows[ATTACH] ?? 0) === 0) continue;
      alone.kernel.arrays.reset();
      const segment = this.#source.readSegment(n, plan);
      if (segment === undefined) continue;
      this.#again ??= this.#newReplay();
      alone.forward(segment);
      this.#again.forward(segment);
    }
    if (from > 0) this.#again ??= this.#newReplay();
    this.#from = from;
    this.#before = copyOf(alone.controls);
  }

  /** Counts from an empty cache, in steps of a segment: yields how many are done. Throws `LIMIT` as `CountingReplay` does. */
  *steps(): Generator<number, void> {
    const replay = this.#alone;
    const from = this.#from;
    this.#again?.begin();
    if (from > 0) replay.begin();
    let next = 1;
    for (let n = from; n < this.end; n++) {
      this.#play(replay, n, this.#damaged);
      const segments = n - from + 1;
      yield segments;
      if (from === 0 || segments < next || this.#checkpoints.length >= MOST_CHECKPOINTS) continue;
      this.#checkpoints.push({ segments, cache: replay.cache(), counts: replay.counts() });
      next =
        segments < 4
          ? segments + 1
          : segments * 2 - ((segments & (segments - 1)) === 0 ? segments / 2 : segments / 1.5);
    }
  }

  /**
   * Counts of the stretch after its steps, given what the cache held at its start, and what it holds at its end. Undefined where
   * something depends on accesses before the stretch in a way that can't be mended: all must be counted in one go.
   */
  finish(cache: Int32Array): StretchEnd | undefined {
    const alone = this.#alone;
    const controls = difference(alone.controls, this.#before);
    const rest = { controls, commandErrors: alone.commandErrors(), damaged: this.#damaged };
    if (alone.needsHistory) return undefined;
    const replay = this.#again;
    if (replay === undefined) return { counts: { ...alone.counts(), ...rest }, cache: alone.cache() };
    replay.setCache(cache);
    if (replay.needsHistory) return undefined;
    let at = 0;
    for (let n = this.#from; n < this.end; n++) {
      this.#play(replay, n, []);
      const checkpoint = this.#checkpoints[at];
      if (checkpoint?.segments !== n - this.#from + 1) continue;
      at++;
      if (!sameWords(checkpoint.cache, replay.cache())) continue;
      const counts = joined(replay.counts(), checkpoint.counts, alone.counts());
      return { counts: { ...counts, ...rest }, cache: alone.cache() };
    }
    return { counts: { ...replay.counts(), ...rest }, cache: replay.cache() };
  }

  #newReplay(): CountingReplay {
    const replay = createCountingReplay(this.#hardware, { unmappedAccess: 'fill' });
    if (replay === undefined) throw new RangeError('the hardware must suit');
    return replay;
  }

  #play(replay: CountingReplay, number: number, damaged: number[]): void {
    replay.kernel.arrays.reset();
    const segment = this.#source.readSegment(number, countingPlan(replay));
    if (segment === undefined) damaged.push(number);
    else replay.play(segment);
  }
}

function sameWords(one: Int32Array, other: Int32Array): boolean {
  return one.length === other.length && one.every((word, i) => word === other[i]);
}

function copyOf(controls: ControlCounts): ControlCounts {
  return { ...controls, byType: controls.byType.slice() };
}

/** What was counted between two moments. */
function difference(now: ControlCounts, before: ControlCounts): ControlCounts {
  const { byType, ...numbers } = now;
  const changed = Object.entries(numbers).map(([name, value]) => [name, value - before[name as keyof typeof numbers]]);
  return {
    ...(Object.fromEntries(changed) as typeof numbers),
    byType: byType.map((count, type) => count - before.byType[type]!),
  };
}

/** Counts of the beginning as it really was, and of what came after the checkpoint the first time. */
function joined(start: ReplayCounts, checkpoint: ReplayCounts, alone: ReplayCounts): ReplayCounts {
  const sum = (name: Exclude<keyof ReplayCounts, 'outputs' | 'walkReads'>): number =>
    start[name] + alone[name] - checkpoint[name];
  return {
    lookups: sum('lookups'),
    hits: sum('hits'),
    misses: sum('misses'),
    walkReads: start.walkReads === null ? null : start.walkReads + (alone.walkReads ?? 0) - (checkpoint.walkReads ?? 0),
    faults: sum('faults'),
    unbacked: sum('unbacked'),
    invalidated: sum('invalidated'),
    outputs: start.outputs + alone.outputs - checkpoint.outputs,
  };
}

/** Counts of several stretches, one behind the other, as if they had been one. */
export function sumOf(stretches: readonly StretchCounts[]): StretchCounts {
  const [first, ...others] = stretches;
  if (first === undefined) throw new RangeError('a stretch expected');
  return others.reduce<StretchCounts>((sum, one) => {
    const total = (name: Exclude<keyof ReplayCounts, 'outputs' | 'walkReads'>): number => sum[name] + one[name];
    const { byType: types, ...numbers } = one.controls;
    const added = Object.entries(numbers).map(([name, value]) => [
      name,
      value + sum.controls[name as keyof typeof numbers],
    ]);
    return {
      lookups: total('lookups'),
      hits: total('hits'),
      misses: total('misses'),
      walkReads: sum.walkReads === null ? null : sum.walkReads + (one.walkReads ?? 0),
      faults: total('faults'),
      unbacked: total('unbacked'),
      invalidated: total('invalidated'),
      outputs: BigInt.asUintN(64, sum.outputs + one.outputs),
      controls: {
        ...(Object.fromEntries(added) as typeof numbers),
        byType: types.map((count, type) => count + sum.controls.byType[type]!),
      },
      commandErrors: addErrors(sum.commandErrors, one.commandErrors),
      damaged: [...sum.damaged, ...one.damaged],
    };
  }, first);
}

function addErrors(
  sum: readonly CommandErrorCount[],
  more: readonly CommandErrorCount[],
): readonly CommandErrorCount[] {
  const out = sum.map((entry) => {
    const same = more.find(({ error, what }) => error === entry.error && what === entry.what);
    return { ...entry, count: entry.count + (same?.count ?? 0) };
  });
  return [...out, ...more.filter(({ error, what }) => !sum.some((s) => s.error === error && s.what === what))];
}
