import { DIALECT } from '../../traces/schema.ts';
import { smmuFirstPage, smmuRangePages } from '../../traces/dialects/smmuv3-fields.ts';
import type { DomainId, Nanoseconds, PageNumber } from '../../traces/units.ts';
import { CacheTags } from '../designs/cache-tags.ts';
import type { CommandEmitter, DesignContext } from '../designs/design.ts';
import { createFlush } from '../designs/flushes.ts';
import { alignBatches } from './batch-alignment.ts';
import type { AlignmentSink, BatchSides } from './batch-alignment.ts';
import { BatchTape } from './batch-tape.ts';
import { nestedRuns } from './nested-runs.ts';

/** A map or unmap that makes one batch on its own, and may have been flushed with its neighbours instead. */
export interface LaneIntent {
  readonly mapped: boolean;
  /** The call that asked for the mapping was seen to return behind it, so that the next mapping is another's. */
  returned: boolean;
  readonly key: number;
  readonly first: PageNumber;
  readonly last: PageNumber;
  readonly cpu: number;
  readonly task: number;
}

/** Unmaps that one flush may cover: VFIO flushes after 512 ranges at the latest (VFIO_IOMMU_TLB_SYNC_MAX). */
const MOST_INTENTS = 512;
/** Batches that one flush may make: one for each leaf size, twice. */
const MOST_BATCHES = 6;
/** Beyond any page. */
const EVERYTHING = 2 ** 53;
/** How far apart in time predictions of two CPUs may have changed places. */
const SWAP_NS = 5e6;

/**
 * When a domain has no device, so that its driver sends nothing: from a flush of the whole domain behind a change of configuration
 * (its last device may have left) to the next flush that is none.
 */
export class IdleTimes {
  readonly #starts: Nanoseconds[] = [];
  readonly #ends: Nanoseconds[] = [];

  /** `unattached`: what comes before the first flush is taken for the time before the first device. */
  constructor(unattached = false) {
    if (unattached) this.#starts.push(Number.NEGATIVE_INFINITY);
  }

  /** Flushes must come in order of time. */
  flushed(time: Nanoseconds, configuration: boolean): void {
    if (this.#ends.length < this.#starts.length) {
      if (configuration) return;
      this.#ends.push(time);
    } else if (configuration) this.#starts.push(time);
  }

  has(time: Nanoseconds): boolean {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= time) low = middle + 1;
      else high = middle;
    }
    return low > 0 && time < (this.#ends[low - 1] ?? Number.POSITIVE_INFINITY);
  }
}

/** Fills a tape with what a design emits. */
export function tapeEmitter(tape: BatchTape, close: (tape: BatchTape) => void): CommandEmitter {
  return {
    command: (_unit, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi, w3Lo, w3Hi) =>
      tape.commands.add(w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi, w3Lo, w3Hi),
    submit: () => close(tape),
    publish: () => undefined,
    defer: () => 0,
    release: () => undefined,
    arm: () => undefined,
  };
}

/**
 * The batches of one domain, predicted and recorded. A prediction is what one map or unmap alone makes its driver send; the lane
 * knows how to lay several unmaps together, where their caller asked for one flush only.
 */
export class FlushLane implements BatchSides {
  readonly domain: DomainId;
  expected = new BatchTape();
  readonly seen = new BatchTape();
  /** Intent of each predicted batch, where it is the only batch of its intent. */
  intents: (LaneIntent | undefined)[] = [];
  readonly #context: DesignContext;
  readonly #idle: IdleTimes;
  readonly #union = new BatchTape();
  readonly #tags = new CacheTags();

  constructor(domain: DomainId, context: DesignContext, idle: IdleTimes) {
    this.domain = domain;
    this.#context = context;
    this.#idle = idle;
    this.#tags.assign({ domain, unit: 0, type: 0, device: -1, pasid: 0 });
  }

  get predicted(): number {
    return this.expected.length;
  }

  get recorded(): number {
    return this.seen.length;
  }

  /** Puts mappings behind what interrupted them, and lays the pieces of a list together: so they are flushed. */
  nest(): void {
    const { expected, intents } = this;
    const tape = new BatchTape();
    const kept: (LaneIntent | undefined)[] = [];
    for (const pieces of nestedRuns(intents, expected.times)) {
      const end = pieces.at(-1) ?? 0;
      const first = intents[pieces[0] ?? 0];
      const last = intents[end];
      if (first === undefined || last === undefined || pieces.length === 1) {
        kept[tape.length] = last;
        tape.copy(expected, end);
        continue;
      }
      this.#flush({ ...first, last: last.last });
      const { events, times, keys, marks } = expected;
      for (let batch = 0; batch < this.#union.length; batch++) {
        for (let c = 0; c < this.#union.size(batch); c++) tape.commands.add(...this.#union.words(batch, c));
        tape.close(events[end] ?? 0, times[end] ?? 0, keys[end] ?? 0, marks[end] ?? 0);
      }
    }
    this.expected = tape;
    this.intents = kept;
  }

  /** What one call for all pages of an intent makes the driver send, into `#union`. */
  #flush({ mapped, first, last, cpu, task }: LaneIntent): void {
    const flush = createFlush(
      tapeEmitter(this.#union, (tape) => tape.close(0, 0, 0, 0)),
      this.#context,
      this.#tags,
    );
    this.#union.clear();
    const range = { domain: this.domain, first, last, cpu, task, time: 0 };
    if (mapped) flush.map({ ...range, offset: 0, prot: 0, replacedFirst: -1, replacedLast: -1 });
    else flush.unmap({ ...range, freedTable: 0 });
    if (mapped) flush.syncMap(cpu);
    else flush.sync(this.domain, cpu, task);
  }

  align(sink: AlignmentSink): void {
    alignBatches(this, sink);
  }

  matches(predicted: number, recorded: number): boolean {
    return this.#same(this.expected, predicted, recorded);
  }

  hasChoice(predicted: number, recorded: number): boolean {
    return this.expectedExtra(recorded) || this.expectedMissing(predicted) || this.#adjoins(predicted);
  }

  /** The next intent of the same submitter begins where this one ends. */
  #adjoins(predicted: number): boolean {
    const intent = this.intents[predicted];
    const next = this.intents[predicted + 1];
    if (intent === undefined || next?.key !== intent.key || next.mapped !== intent.mapped) return false;
    return next.first === intent.last + 1 || (!intent.mapped && next.last + 1 === intent.first);
  }

  expectedMissing(predicted: number): boolean {
    return this.#idle.has(this.expected.times[predicted] ?? 0);
  }

  expectedExtra(recorded: number): boolean {
    return this.seen.marks[recorded] === 1;
  }

  swappable(predicted: number, recorded: number): boolean {
    const { keys, times } = this.expected;
    if (this.seen.times[recorded] === this.seen.times[recorded + 1]) return true;
    return (
      keys[predicted] !== keys[predicted + 1] &&
      Math.abs((times[predicted] ?? 0) - (times[predicted + 1] ?? 0)) <= SWAP_NS
    );
  }

  unions(predicted: number, recorded: number, found: (predictions: number, batches: number) => void): void {
    if (this.#context.dialect === DIALECT.virtio) return;
    const start = this.intents[predicted];
    if (start === undefined) return;
    const { mapped, key } = start;
    let { first, last } = start;
    const ends = this.#endsFrom(recorded);
    const furthest = ends.at(-1) ?? EVERYTHING;
    for (let count = 1; count < MOST_INTENTS; count++) {
      const next = this.intents[predicted + count];
      if (next?.key !== key || next.mapped !== mapped) return;
      // a gap ends what is flushed together: where drivers don't mind gaps, traces have flush events
      if (next.first !== last + 1 && (mapped || next.last + 1 !== first)) return;
      first = Math.min(first, next.first);
      last = Math.max(last, next.last);
      if (last > furthest) return;
      if (furthest < EVERYTHING && !ends.includes(last)) continue;
      this.#flush({ ...start, first, last });
      if (this.#unionMatches(recorded)) found(count + 1, this.#union.length);
    }
  }

  /** Last pages of a recorded batch and of those that go on where it ends; none where commands name no pages. */
  #endsFrom(recorded: number): readonly PageNumber[] {
    if (this.#context.dialect !== DIALECT.smmuv3) return [];
    const ends: PageNumber[] = [];
    for (let batch = recorded; batch < Math.min(this.seen.length, recorded + MOST_BATCHES); batch++) {
      const [, , firstLo, firstHi] = this.seen.words(batch, 0);
      const previous = ends.at(-1);
      if (previous !== undefined && smmuFirstPage(firstLo, firstHi) !== previous + 1) break;
      const [w0Lo, , w1Lo, w1Hi] = this.seen.words(batch, this.seen.size(batch) - 1);
      ends.push(smmuFirstPage(w1Lo, w1Hi) + smmuRangePages(w0Lo, w1Lo) - 1);
    }
    return ends;
  }

  #unionMatches(recorded: number): boolean {
    for (let i = 0; i < this.#union.length; i++) {
      if (recorded + i >= this.seen.length || !this.#same(this.#union, i, recorded + i)) return false;
    }
    return this.#union.length > 0;
  }

  #same(tape: BatchTape, batch: number, recorded: number): boolean {
    const size = tape.size(batch);
    if (size === this.seen.size(recorded) && this.#sameWords(tape, batch, recorded)) return true;
    return this.#context.dialect === DIALECT.smmuv3 && this.#sameRange(tape, batch, recorded);
  }

  #sameWords(tape: BatchTape, batch: number, recorded: number): boolean {
    const size = tape.size(batch);
    for (let c = 0; c < size; c++) {
      for (let w = 0; w < 8; w++) {
        if (((tape.word(batch, c, w) ^ this.seen.word(recorded, c, w)) & this.#mask(tape, batch, c, w)) !== 0)
          return false;
      }
    }
    return true;
  }

  /** Bits that can be compared: of AMD pages a log has only the domain, and no trace of the kernel tells permissions. */
  #mask(tape: BatchTape, batch: number, command: number, word: number): number {
    if (this.#context.dialect === DIALECT.amd) return word === 1 ? -1 : 0;
    if (this.#context.dialect === DIALECT.virtio && word === 0) return tape.marks[batch] === 1 ? -1 : 0xff;
    return command < 0 ? 0 : -1;
  }

  /** A log that holds a range as pieces, cut into powers of two: the same commands but for NUM and SCALE, and the same pages. */
  #sameRange(tape: BatchTape, batch: number, recorded: number): boolean {
    const size = tape.size(batch);
    const total = this.seen.size(recorded);
    if (total <= size) return false;
    let piece = 0;
    for (let c = 0; c < size; c++) {
      const [w0Lo, w0Hi, w1Lo, w1Hi] = tape.words(batch, c);
      let page = smmuFirstPage(w1Lo, w1Hi);
      const end = page + smmuRangePages(w0Lo, w1Lo);
      while (page < end) {
        if (piece >= total) return false;
        const words = this.seen.words(recorded, piece++);
        if (((words[0] ^ w0Lo) & 0xff) !== 0 || words[1] !== w0Hi || ((words[2] ^ w1Lo) & 0xfff) !== 0) return false;
        if (smmuFirstPage(words[2], words[3]) !== page) return false;
        page += smmuRangePages(words[0], words[2]);
      }
      if (page !== end) return false;
    }
    return piece === total;
  }
}

/** What the lanes of a domain have left over, to be laid together once more without regard to submitters. */
export class LeftOvers {
  readonly #lane: FlushLane;
  readonly #missing: [FlushLane, number][] = [];
  readonly #extra: [FlushLane, number][] = [];

  constructor(domain: DomainId, context: DesignContext, idle: IdleTimes) {
    this.#lane = new FlushLane(domain, context, idle);
  }

  missing(lane: FlushLane, predicted: number): void {
    this.#missing.push([lane, predicted]);
  }

  extra(lane: FlushLane, recorded: number): void {
    this.#extra.push([lane, recorded]);
  }

  /** All of it, in order of time. */
  lane(): FlushLane {
    const event = ([lane, i]: [FlushLane, number], side: 'expected' | 'seen'): number => lane[side].events[i] ?? 0;
    this.#missing.sort((a, b) => event(a, 'expected') - event(b, 'expected') || a[1] - b[1]);
    this.#extra.sort((a, b) => event(a, 'seen') - event(b, 'seen') || a[1] - b[1]);
    for (const [lane, i] of this.#missing) {
      this.#lane.intents[this.#lane.expected.length] = lane.intents[i];
      this.#lane.expected.copy(lane.expected, i);
    }
    for (const [lane, i] of this.#extra) this.#lane.seen.copy(lane.seen, i);
    return this.#lane;
  }
}
