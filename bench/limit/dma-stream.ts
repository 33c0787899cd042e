import { MemoryTrace } from '../../traces/memory-trace.ts';
import { freshArrays } from '../../traces/format/array-pool.ts';
import { Random } from '../../traces/random.ts';
import { DIALECT, INV_FORM, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import { SEGMENT_EVENTS } from '../../traces/segment.ts';
import type { Segment } from '../../traces/segment.ts';
import type { ReadPlan } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import type { SegmentSource } from '../../replay/engine/counting-stretch.ts';
import { ringMaps } from './limit-streams.ts';
import { limitHeader, limitRequester, rangeAddress, rangeCommand, writeLimitMaps } from './limit-trace.ts';
import {
  ACCESSES_PER_PAGE,
  BURST,
  DESCRIPTOR_EVERY,
  DONE_PAGES,
  FIRST_PAGE,
  MOST_BURST_EVENTS,
  RING_PAGES,
  RingWalk,
} from './ring-walk.ts';

/** Whole bursts that surely fit into a segment. */
export const BURSTS_PER_SEGMENT: number = Math.floor(SEGMENT_EVENTS / MOST_BURST_EVENTS);
const FEWEST_EVENTS = BURSTS_PER_SEGMENT * (MOST_BURST_EVENTS - 1);
const PAGE_HIGH = Math.floor(FIRST_PAGE / 0x100000);

/**
 * The `dma` shape of the speed limit as segments that are made when they are read, with the columns that counting reads: a trace of
 * any length that nothing has to hold. Segments can be read in any order; it is ascending order that costs nothing.
 */
export class DmaStream implements SegmentSource {
  /** Of these the last ones may be empty: how many events a segment has is known when it is made. */
  readonly segmentCount: number;
  readonly #events: number;
  readonly #seed: number;
  readonly #maps: readonly Segment[];
  #walk: RingWalk;
  /** Segment of events that comes next, and how many events came before. */
  #next = 0;
  #before = 0;

  constructor(events: number, seed: number) {
    const maps = new MemoryTrace(limitHeader('dma'));
    writeLimitMaps(maps, ringMaps());
    this.#maps = [...maps.segments()];
    this.#events = events;
    this.#seed = seed;
    this.segmentCount = this.#maps.length + Math.ceil(events / FEWEST_EVENTS);
    this.#walk = new RingWalk(new Random(seed));
  }

  segmentRows(number: number): readonly number[] {
    const maps = this.#maps[number];
    return maps === undefined ? [] : STREAM_NAMES.map((name) => maps.rows[name].count);
  }

  readSegment(number: number, plan: ReadPlan): Segment {
    const maps = this.#maps[number];
    if (maps !== undefined) return maps;
    this.#goTo(number - this.#maps.length);
    return this.#make(plan);
  }

  #goTo(number: number): void {
    if (number < this.#next) {
      this.#walk = new RingWalk(new Random(this.#seed));
      this.#next = 0;
      this.#before = 0;
    }
    const walk = this.#walk;
    let events = this.#before;
    for (let burst = this.#next * BURSTS_PER_SEGMENT; burst < number * BURSTS_PER_SEGMENT; burst++) {
      walk.next();
      events += walk.events;
    }
    this.#next = number;
    this.#before = events;
  }

  #make({ arrays = freshArrays(false) }: ReadPlan): Segment {
    const walk = this.#walk;
    const most = BURSTS_PER_SEGMENT * MOST_BURST_EVENTS;
    const limit = Math.max(0, Math.min(most, this.#events - this.#before));
    const stream = arrays.uint8(SEGMENT_EVENTS);
    // loops: `fill` writes shared memory byte by byte
    const words = new Int32Array(stream.buffer, stream.byteOffset, SEGMENT_EVENTS / 4);
    for (let i = 0; i < words.length; i++) words[i] = STREAM_ID.dma * 0x01010101;
    const [rid, domain, iovaLo] = [arrays.int32(most), arrays.int32(most), arrays.int32(most)];
    const [w0Hi, w1Lo] = [arrays.int32(BURSTS_PER_SEGMENT), arrays.int32(BURSTS_PER_SEGMENT)];
    let event = 0;
    let row = 0;
    let commands = 0;
    for (let b = 0; b < BURSTS_PER_SEGMENT; b++) {
      walk.next();
      const { ring } = walk;
      const requester = limitRequester(ring);
      const from = row;
      for (let k = 0; k < BURST; k += ACCESSES_PER_PAGE) {
        if (k % DESCRIPTOR_EVERY === 0) iovaLo[row++] = (FIRST_PAGE + RING_PAGES) << 12;
        const address = (FIRST_PAGE + walk.page(k)) << 12;
        for (const end = row + ACCESSES_PER_PAGE; row < end; row++) iovaLo[row] = address;
      }
      for (let i = from; i < row; i++) {
        rid[i] = requester;
        domain[i] = ring;
      }
      event += row - from;
      if (!walk.invalidates) continue;
      stream[event++] = STREAM_ID.inv;
      w0Hi[commands] = ring << 16;
      w1Lo[commands++] = rangeAddress(FIRST_PAGE + walk.donePage);
    }
    const firstEvent = this.#before;
    this.#next++;
    this.#before += event;
    const count = Math.min(event, limit);
    if (count < event) {
      commands = stream.subarray(0, count).reduce((sum, id) => sum + (id === STREAM_ID.inv ? 1 : 0), 0);
      row = count - commands;
    }
    const alike = (value: number, rows: number): Int32Array => arrays.constant(value, rows);
    const columns = {
      dma: {
        rid: rid.subarray(0, row),
        pasid: alike(ABSENT, row),
        domain: domain.subarray(0, row),
        iovaLo: iovaLo.subarray(0, row),
        iovaHi: alike(PAGE_HIGH, row),
        outcome: alike(0, row),
        pageShift: alike(12, row),
      },
      inv: {
        dialect: alike(DIALECT.smmuv3, commands),
        form: alike(INV_FORM.words, commands),
        w0Lo: alike(rangeCommand(DONE_PAGES, 0), commands),
        w0Hi,
        w1Lo,
        w1Hi: alike(PAGE_HIGH, commands),
        w2Lo: alike(0, commands),
        w2Hi: alike(0, commands),
      },
    };
    const rows = Object.fromEntries(STREAM_NAMES.map((name) => [name, { count: 0, columns: {} }]));
    return {
      firstEvent,
      count,
      stream: stream.subarray(0, count),
      time: new Float64Array(0),
      cpu: new Int32Array(0),
      task: new Int32Array(0),
      source: new Uint8Array(0),
      rows: {
        ...rows,
        dma: { count: row, columns: columns.dma },
        inv: { count: commands, columns: columns.inv },
      } as unknown as Segment['rows'],
    };
  }
}
