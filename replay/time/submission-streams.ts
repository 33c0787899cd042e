import type { Random } from '../../traces/random.ts';
import type { Nanoseconds } from '../../traces/units.ts';

/** Submissions that a stream keeps at most: the first ones. */
const MOST = 1 << 17;

/** What one CPU submitted, in order, with the time between. */
export interface SubmissionStream {
  /** CPU; -1 for timers. */
  readonly cpu: number;
  readonly count: number;
  /** From the end of the submission before until this one was wanted; 0 of the first. Pauses are left out. */
  readonly thinkNs: Float64Array;
  readonly unit: Int32Array;
  readonly commands: Int32Array;
  readonly waits: Uint8Array;
  readonly waited: Uint8Array;
  /** Steps of submission i are `stepsFrom[i]` to `stepsFrom[i + 1]`, with the ns of those for a device. */
  readonly stepsFrom: Int32Array;
  readonly steps: Uint8Array;
  readonly stepNs: Float64Array;
}

/** Lists that grow. */
interface Draft {
  readonly cpu: number;
  readonly ready: number[];
  readonly ends: number[];
  readonly unit: number[];
  readonly commands: number[];
  readonly waits: number[];
  readonly waited: number[];
  readonly stepsFrom: number[];
  readonly steps: number[];
  readonly stepNs: number[];
  /** Of pauses so far, and when the CPU was last seen at work. */
  idleNs: Nanoseconds;
  last: Nanoseconds;
}

/** Keeps what CPUs submit in a run, so that more of them can be made to do the same. */
export class SubmissionStreams {
  readonly #pauseNs: Nanoseconds;
  readonly #drafts = new Map<number, Draft>();

  /** A CPU that shows no work for longer than `pauseNs` has none: that time is left out. */
  constructor(pauseNs: Nanoseconds) {
    this.#pauseNs = pauseNs;
  }

  /** A CPU is at work. */
  seen(cpu: number, time: Nanoseconds): void {
    const draft = this.#draft(cpu, time);
    const gap = time - draft.last;
    if (gap > this.#pauseNs) draft.idleNs += gap;
    if (gap > 0) draft.last = time;
  }

  submitted(
    cpu: number,
    ready: Nanoseconds,
    unit: number,
    steps: Uint8Array,
    stepNs: Float64Array,
    count: number,
    commands: number,
    waits: number,
    waited: boolean,
  ): void {
    // timers have no work between
    const draft = this.#draft(cpu, ready);
    if (draft.ready.length >= MOST) return;
    draft.ready.push(ready - draft.idleNs);
    draft.unit.push(unit);
    draft.commands.push(commands);
    draft.waits.push(waits);
    draft.waited.push(waited ? 1 : 0);
    draft.stepsFrom.push(draft.steps.length);
    for (let i = 0; i < count; i++) {
      draft.steps.push(steps[i]!); // in range
      draft.stepNs.push(stepNs[i]!); // in range
    }
  }

  /** The oldest submission of a CPU that was not done is done. */
  finished(cpu: number, start: Nanoseconds, end: Nanoseconds): void {
    // how long it took is what counts: its CPU may have come to it late
    this.#drafts.get(cpu)?.ends.push(end - start);
  }

  /** By CPU. */
  streams(): SubmissionStream[] {
    return [...this.#drafts.values()].sort((a, b) => a.cpu - b.cpu).map(streamOf);
  }

  #draft(cpu: number, time: Nanoseconds): Draft {
    let draft = this.#drafts.get(cpu);
    if (draft === undefined) {
      draft = {
        cpu,
        ready: [],
        ends: [],
        unit: [],
        commands: [],
        waits: [],
        waited: [],
        stepsFrom: [],
        steps: [],
        stepNs: [],
        idleNs: 0,
        last: time,
      };
      this.#drafts.set(cpu, draft);
    }
    return draft;
  }
}

/** One stream after the other, as one. */
export function joinStreams(streams: readonly SubmissionStream[]): SubmissionStream {
  const counts = streams.map(({ count }) => count);
  const count = counts.reduce((sum, one) => sum + one, 0);
  const stepCount = streams.reduce((sum, { steps }) => sum + steps.length, 0);
  const joined = {
    cpu: streams[0]?.cpu ?? -1,
    count,
    thinkNs: new Float64Array(count),
    unit: new Int32Array(count),
    commands: new Int32Array(count),
    waits: new Uint8Array(count),
    waited: new Uint8Array(count),
    stepsFrom: new Int32Array(count + 1),
    steps: new Uint8Array(stepCount),
    stepNs: new Float64Array(stepCount),
  };
  let at = 0;
  let step = 0;
  for (const one of streams) {
    joined.thinkNs.set(one.thinkNs, at);
    joined.unit.set(one.unit, at);
    joined.commands.set(one.commands, at);
    joined.waits.set(one.waits, at);
    joined.waited.set(one.waited, at);
    joined.stepsFrom.set(
      one.stepsFrom.map((from) => from + step),
      at,
    );
    joined.steps.set(one.steps, step);
    joined.stepNs.set(one.stepNs, step);
    at += one.count;
    step += one.steps.length;
  }
  return joined;
}

const BLOCK = 32;

/**
 * At most `most` submissions of a stream, in blocks that follow each other as they did, so that bursts stay bursts. The blocks are
 * spread evenly over all of it and shuffled: each part of the sample is as good as any other.
 */
export function sampleOf(stream: SubmissionStream, most: number, random: Random): SubmissionStream {
  const blocks = Math.ceil(Math.min(stream.count, most) / BLOCK);
  const firsts = Array.from({ length: blocks }, (_, b) =>
    stream.count <= most ? b * BLOCK : Math.floor((b * (stream.count - BLOCK)) / Math.max(1, blocks - 1)),
  );
  for (let i = blocks - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [firsts[i], firsts[j]] = [firsts[j]!, firsts[i]!]; // both are in range
  }
  const places = firsts.flatMap((first) =>
    Array.from({ length: Math.min(BLOCK, stream.count - first) }, (_, i) => first + i),
  );
  const stepsFrom = [0];
  const steps: number[] = [];
  const stepNs: number[] = [];
  for (const place of places) {
    for (let i = stream.stepsFrom[place]!; i < stream.stepsFrom[place + 1]!; i++) {
      steps.push(stream.steps[i]!); // in range, like all of a place
      stepNs.push(stream.stepNs[i]!);
    }
    stepsFrom.push(steps.length);
  }
  return {
    cpu: stream.cpu,
    count: places.length,
    thinkNs: Float64Array.from(places, (place) => stream.thinkNs[place]!),
    unit: Int32Array.from(places, (place) => stream.unit[place]!),
    commands: Int32Array.from(places, (place) => stream.commands[place]!),
    waits: Uint8Array.from(places, (place) => stream.waits[place]!),
    waited: Uint8Array.from(places, (place) => stream.waited[place]!),
    stepsFrom: Int32Array.from(stepsFrom),
    steps: Uint8Array.from(steps),
    stepNs: Float64Array.from(stepNs),
  };
}

function streamOf(draft: Draft): SubmissionStream {
  const thinkNs = draft.ready.map((ready, i) => {
    const before = draft.ready[i - 1];
    return before === undefined ? 0 : Math.max(0, ready - before - (draft.ends[i - 1] ?? 0));
  });
  return {
    cpu: draft.cpu,
    count: draft.ready.length,
    thinkNs: Float64Array.from(thinkNs),
    unit: Int32Array.from(draft.unit),
    commands: Int32Array.from(draft.commands),
    waits: Uint8Array.from(draft.waits),
    waited: Uint8Array.from(draft.waited),
    stepsFrom: Int32Array.from([...draft.stepsFrom, draft.steps.length]),
    steps: Uint8Array.from(draft.steps),
    stepNs: Float64Array.from(draft.stepNs),
  };
}
