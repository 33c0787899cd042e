import { PageRequestSpans } from '../../../replay/faults/page-request-spans.ts';
import type { AnsweredGroup } from '../../../replay/faults/page-request-spans.ts';
import { pageResponse, readPageResponse } from '../../../replay/faults/page-response.ts';
import type { PlainEvent } from '../../../traces/event.ts';
import { CALL, DIRTY_OP, INV_FORM, ORIGIN_NAMES } from '../../../traces/schema.ts';
import { highWord, lowWord } from '../../../traces/units.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import type { ExportSource } from '../exporter.ts';
import type { PacketSequence } from './packet-sequence.ts';
import type { Tracks } from './tracks.ts';

/** Values of a counter over the whole trace at most. */
const BINS = 2000;
const LEAST_BIN: Nanoseconds = 1000;
/** Counters of one kind; hostile input names any number of units. */
const MOST_COUNTERS = 256;

interface Rate {
  readonly track: number;
  bin: number;
  count: number;
}

interface Level {
  readonly track: number;
  bin: number;
  value: number;
  shown: number;
}

function long(value: unknown): bigint {
  return typeof value === 'bigint' ? value : 0n;
}

function whole(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/** Set bits of a bitmap. */
function setBits(bitmap: Uint8Array): number {
  let bits = 0;
  for (const byte of bitmap) for (let rest = byte; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}

/** The counter tracks of the export: commands a second, page request groups without a response, mapped bytes, dirty pages. */
export class Counters {
  readonly #sequence: PacketSequence;
  readonly #tracks: Tracks;
  readonly #start: Nanoseconds;
  readonly #binNs: Nanoseconds;
  readonly #rates = new Map<string, Rate>();
  readonly #levels = new Map<string, Level>();
  readonly #groups: PageRequestSpans;
  readonly #response = pageResponse();
  #shownGroups = 0;

  constructor(
    sequence: PacketSequence,
    tracks: Tracks,
    { start, end }: ExportSource,
    answered: (group: AnsweredGroup) => void,
  ) {
    this.#sequence = sequence;
    this.#tracks = tracks;
    this.#start = start;
    this.#binNs = Math.max(LEAST_BIN, Math.ceil((end - start + 1) / BINS));
    this.#groups = new PageRequestSpans(answered);
  }

  event(event: PlainEvent): void {
    const { stream, fields, time } = event;
    if (stream === 'inv') this.#command(event);
    else if (stream === 'map') this.#mapped(fields['origin'], Number(long(fields['size'])), time);
    else if (stream === 'unmap') {
      const done = fields['call'] === CALL.iommu ? fields['unmapped'] : fields['size'];
      this.#mapped(fields['origin'], -Number(long(done)), time);
    } else if (stream === 'dirty') this.#dirty(event);
    else if (stream === 'prq') {
      this.#groups.request(
        whole(fields['rid']),
        whole(fields['pasid']),
        whole(fields['group']),
        whole(fields['access']),
        time,
      );
      this.#outstanding(time);
    } else if (stream === 'prs') {
      this.#groups.response(whole(fields['rid']), whole(fields['pasid']), whole(fields['group']), time);
      this.#outstanding(time);
    }
  }

  finish(): void {
    for (const rate of this.#rates.values()) this.#showRate(rate, rate.bin + 2);
    for (const level of this.#levels.values()) this.#showLevel(level);
  }

  #command({ fields, time }: PlainEvent): void {
    const { form, unit } = fields;
    if (form !== INV_FORM.words && form !== INV_FORM.decoded) return;
    const w0 = long(fields['w0']);
    const w1 = long(fields['w1']);
    const answer = this.#response;
    if (readPageResponse(answer, whole(fields['dialect']), lowWord(w0), highWord(w0), lowWord(w1), highWord(w1))) {
      this.#groups.response(answer.rid, answer.pasid, answer.group, time);
      this.#outstanding(time);
    }
    const queue = whole(fields['queue']);
    const name = `${typeof unit === 'string' ? unit : 'unit unknown'}${queue === 0 ? '' : ` queue ${queue}`}`;
    const bin = this.#bin(time);
    let rate = this.#rates.get(name);
    if (rate === undefined) {
      if (this.#rates.size >= MOST_COUNTERS) return;
      rate = { track: this.#tracks.counter(`${name}: commands`, { name: 'commands/s' }), bin, count: 0 };
      this.#rates.set(name, rate);
    }
    if (bin > rate.bin) this.#showRate(rate, bin);
    rate.count++;
  }

  #showRate(rate: Rate, next: number): void {
    this.#sequence.counter(rate.track, this.#timeOf(rate.bin), (rate.count * 1e9) / this.#binNs);
    if (next > rate.bin + 1) this.#sequence.counter(rate.track, this.#timeOf(rate.bin + 1), 0);
    rate.bin = next;
    rate.count = 0;
  }

  #mapped(origin: unknown, bytes: number, time: Nanoseconds): void {
    const name = ORIGIN_NAMES[whole(origin)] ?? 'unknown';
    const bin = this.#bin(time);
    let level = this.#levels.get(name);
    if (level === undefined) {
      level = { track: this.#tracks.counter(`mapped by ${name}`, 'bytes'), bin, value: 0, shown: -1 };
      this.#levels.set(name, level);
    }
    if (bin > level.bin) this.#showLevel(level);
    level.bin = Math.max(bin, level.bin);
    // what was mapped before the trace began is unmapped in it, too
    level.value = Math.max(0, level.value + bytes);
  }

  #showLevel(level: Level): void {
    if (level.value === level.shown) return;
    this.#sequence.counter(level.track, this.#timeOf(level.bin), level.value);
    level.shown = level.value;
  }

  #dirty({ fields, time }: PlainEvent): void {
    const { op, bitmap, count } = fields;
    if (op === DIRTY_OP.harvest && bitmap instanceof Uint8Array) {
      this.#sequence.counter(this.#tracks.counter('dirty pages of a harvest', 'count'), time, setBits(bitmap));
    } else if (op === DIRTY_OP.sync) {
      this.#sequence.counter(this.#tracks.counter('dirty pages synced', 'count'), time, Number(long(count)));
    } else if (op === DIRTY_OP.rate) {
      this.#sequence.counter(this.#tracks.counter('dirty rate', { name: 'bytes/s' }), time, Number(long(count)));
    }
  }

  #outstanding(time: Nanoseconds): void {
    const { open } = this.#groups;
    if (open === this.#shownGroups) return;
    this.#shownGroups = open;
    this.#sequence.counter(this.#tracks.counter('page request groups without a response', 'count'), time, open);
  }

  #bin(time: Nanoseconds): number {
    return Math.max(0, Math.floor((time - this.#start) / this.#binNs));
  }

  #timeOf(bin: number): Nanoseconds {
    return this.#start + bin * this.#binNs;
  }
}
