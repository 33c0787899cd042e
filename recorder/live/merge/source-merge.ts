import type { EventSink } from '../../../traces/trace.ts';
import { APART_NS, SameEvents } from './same-events.ts';
import { SourceQueue } from './source-queue.ts';

/** Events of all sources that wait, at most; then the oldest goes, although an older one may still come. */
const MAX_WAITING = 4_000_000;

interface Member {
  readonly queue: SourceQueue;
  /** The higher, the more it tells of an event that others see too. */
  readonly rank: number;
  /** All of its events of before this time are in the queue. */
  complete: number;
  /** Events that a richer source has as well. */
  doubled: number;
}

/**
 * Merges the events of several sources by time. Each source's events come in order, and it says up to which time all of its
 * are there. Of events that two of them saw, those of the one that tells more are kept.
 */
export class SourceMerge {
  readonly #members: readonly Member[];
  readonly #richest: Member | undefined;
  readonly #same = new SameEvents();
  #newest = 0;

  constructor(sink: EventSink, ranks: readonly number[]) {
    this.#members = ranks.map((rank) => ({
      queue: new SourceQueue(sink),
      rank,
      complete: Number.NEGATIVE_INFINITY,
      doubled: 0,
    }));
    const best = Math.max(...ranks);
    // Where all tell the same, none is richer.
    this.#richest = ranks.some((rank) => rank < best) ? this.#members.find(({ rank }) => rank === best) : undefined;
  }

  /** Where a source's events go. */
  sinkOf(source: number): EventSink {
    return this.#member(source).queue;
  }

  /** Events of a source that were left out because a richer one has them. */
  doubledOf(source: number): number {
    return this.#member(source).doubled;
  }

  get waiting(): number {
    return this.#members.reduce((sum, { queue }) => sum + queue.count, 0);
  }

  /** A source says that all of its events of before `time` were given. */
  complete(source: number, time: number): void {
    const member = this.#member(source);
    if (time > member.complete) member.complete = time;
  }

  /** Gives out what nothing can precede any more. */
  run(): void {
    for (const member of this.#members) {
      const segment = member.queue.seal();
      if (segment !== undefined && member === this.#richest) this.#same.add(segment, (ref) => member.queue.text(ref));
    }
    for (let next = this.#oldest(); next !== undefined; next = this.#oldest()) this.#take(next);
    this.#same.forget(this.#newest);
  }

  #member(source: number): Member {
    const member = this.#members[source];
    if (member === undefined) throw new RangeError(`no source ${source}`);
    return member;
  }

  /** Whose turn it is; undefined while something older may still come. */
  #oldest(): Member | undefined {
    let oldest: Member | undefined;
    let time = Number.POSITIVE_INFINITY;
    let complete = Number.POSITIVE_INFINITY;
    for (const member of this.#members) {
      const own = member.queue.time;
      if (own === undefined) complete = Math.min(complete, member.complete);
      else if (own < time) [oldest, time] = [member, own];
    }
    if (oldest === undefined) return undefined;
    const full = this.waiting > MAX_WAITING;
    const richest = this.#richest;
    // Whether a richer source saw it too is known a little later.
    const known = richest === undefined || oldest === richest || richest.complete > time + APART_NS;
    return full || (time < complete && known) ? oldest : undefined;
  }

  #take(member: Member): void {
    const { queue } = member;
    const { next, time = 0 } = queue;
    if (time > this.#newest) this.#newest = time;
    const { stream, task } = queue;
    const richer = this.#richest !== undefined && member !== this.#richest;
    const twice =
      richer &&
      next !== undefined &&
      this.#same.has(next.segment, stream, next.row, time, task, (ref) => queue.text(ref));
    if (twice) member.doubled++;
    queue.take(!twice);
  }
}
