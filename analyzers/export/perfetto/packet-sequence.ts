import type { TraceClock } from '../../../traces/header.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { printable } from '../../report/escape.ts';
import type { ExportSink } from '../exporter.ts';
import {
  ANNOTATION,
  CLOCK,
  CLOCK_ID,
  DEFAULTS,
  ENTRY,
  EVENT,
  EVENT_TYPE,
  INTERNED,
  PACKET,
  SEQUENCE,
  SNAPSHOT,
  TRACE,
} from './fields.ts';
import { ProtoWriter } from './wire.ts';

/** All packets are of one writer. */
const SEQUENCE_ID = 1;
/** Where time 0 of the trace lies on the sequence's own clock, so that what began before it has a time, too. */
const MOST_BEFORE = 1n << 40n;
/** Texts that are known by number at once; then all are given anew. */
const MOST_INTERNED = 4096;
const MOST_TEXT = 1000;

export interface Annotation {
  readonly name: string;
  readonly value: number | bigint | string;
  /** Shown as hexadecimal. */
  readonly pointer?: boolean;
}

export type EventType = keyof typeof EVENT_TYPE;

/** Clocks of our sources by Perfetto's numbers; those that it doesn't know are shown as time since boot. */
function builtinClock(name: string): number {
  if (name === 'realtime' || name === 'tai') return CLOCK_ID.realtime;
  if (name === 'mono') return CLOCK_ID.monotonic;
  return name === 'mono_raw' ? CLOCK_ID.monotonicRaw : CLOCK_ID.boottime;
}

/** Texts by number, since the sequence's state was last cleared; numbers are never given twice. */
class Interned {
  readonly #ids = new Map<string, number>();
  readonly #field: number;
  #next = 1;

  constructor(field: number) {
    this.#field = field;
  }

  get full(): boolean {
    return this.#ids.size >= MOST_INTERNED;
  }

  clear(): void {
    this.#ids.clear();
  }

  /** The text's number; one that is new is added to the packet's interned data. */
  id(text: string, added: ProtoWriter): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.#next++;
    this.#ids.set(text, id);
    added.data(this.#field, new ProtoWriter().uint(ENTRY.iid, id).data(ENTRY.name, printable(text, MOST_TEXT)).bytes);
    return id;
  }
}

/**
 * Perfetto's packets, one sequence of them: a clock of its own that is set against the trace's, texts given once and then by
 * number (google/perfetto, protos/perfetto/trace/trace_packet.proto, interned_data.proto).
 */
export class PacketSequence {
  readonly #sink: ExportSink;
  readonly #zero: number;
  readonly #packet = new ProtoWriter();
  readonly #event = new ProtoWriter();
  readonly #added = new ProtoWriter();
  readonly #annotation = new ProtoWriter();
  readonly #frame = new ProtoWriter();
  readonly #categories = new Interned(INTERNED.categories);
  readonly #names = new Interned(INTERNED.names);
  readonly #annotations = new Interned(INTERNED.annotationNames);

  /** Times that would lie before 0 of the sequence's clock. */
  clamped = 0;

  constructor(clock: TraceClock, sink: ExportSink) {
    this.#sink = sink;
    const epoch = BigInt.asUintN(63, BigInt(/^\d{1,19}$/.test(clock.epochNs) ? clock.epochNs : '0'));
    const before = epoch < MOST_BEFORE ? epoch : MOST_BEFORE;
    this.#zero = Number(before);
    this.#startState(true);
    const builtin = builtinClock(clock.name);
    const clocks: readonly (readonly [id: number, time: bigint])[] = [
      [CLOCK_ID.own, before],
      [builtin, epoch],
    ];
    const snapshot = new ProtoWriter();
    for (const [id, time] of clocks) {
      snapshot.data(SNAPSHOT.clocks, new ProtoWriter().uint(CLOCK.id, id).long(CLOCK.timestamp, time).bytes);
    }
    this.#begin().data(PACKET.clockSnapshot, snapshot.uint(SNAPSHOT.primary, builtin).bytes);
    this.#write();
  }

  /** A TrackDescriptor as bytes. */
  descriptor(bytes: Uint8Array): void {
    this.#begin().data(PACKET.trackDescriptor, bytes);
    this.#write();
  }

  /** A slice's begin, or an instant. */
  mark(
    type: 'begin' | 'instant',
    track: number,
    time: Nanoseconds,
    category: string,
    name: string,
    annotations: readonly Annotation[],
  ): void {
    if (this.#categories.full || this.#names.full || this.#annotations.full) this.#startState(false);
    const event = this.#start(type, track);
    this.#added.clear();
    event.uint(EVENT.categoryIids, this.#categories.id(category, this.#added));
    event.uint(EVENT.nameIid, this.#names.id(name, this.#added));
    for (const { name: key, value, pointer } of annotations) {
      const annotation = this.#annotation.clear().uint(ANNOTATION.nameIid, this.#annotations.id(key, this.#added));
      if (typeof value === 'string') annotation.data(ANNOTATION.text, printable(value, MOST_TEXT));
      else if (pointer === true) annotation.long(ANNOTATION.pointer, BigInt(value));
      else if (value < 0) annotation.long(ANNOTATION.int, BigInt(value));
      else annotation.long(ANNOTATION.uint, BigInt(value));
      event.data(EVENT.annotations, annotation.bytes);
    }
    this.#timed(time);
    if (this.#added.bytes.length > 0) this.#packet.data(PACKET.internedData, this.#added.bytes);
    this.#write();
  }

  end(track: number, time: Nanoseconds): void {
    this.#start('end', track);
    this.#timed(time);
    this.#write();
  }

  counter(track: number, time: Nanoseconds, value: number): void {
    const event = this.#start('counter', track);
    if (Number.isInteger(value)) event.int(EVENT.counterValue, value);
    else event.double(EVENT.doubleValue, value);
    this.#timed(time);
    this.#write();
  }

  #start(type: EventType, track: number): ProtoWriter {
    return this.#event.clear().uint(EVENT.type, EVENT_TYPE[type]).uint(EVENT.track, track);
  }

  #begin(): ProtoWriter {
    return this.#packet.clear().uint(PACKET.sequenceId, SEQUENCE_ID).uint(PACKET.sequenceFlags, SEQUENCE.needsState);
  }

  #timed(time: Nanoseconds): void {
    const at = Math.round(time) + this.#zero;
    if (at < 0) this.clamped++;
    this.#begin().uint(PACKET.timestamp, Math.max(0, at)).data(PACKET.trackEvent, this.#event.bytes);
  }

  #write(): void {
    this.#sink.write(this.#frame.clear().data(TRACE.packet, this.#packet.bytes).bytes);
  }

  #startState(first: boolean): void {
    for (const table of [this.#categories, this.#names, this.#annotations]) table.clear();
    this.#packet
      .clear()
      .uint(PACKET.sequenceId, SEQUENCE_ID)
      .uint(PACKET.sequenceFlags, SEQUENCE.cleared + SEQUENCE.needsState)
      .data(PACKET.defaults, new ProtoWriter().uint(DEFAULTS.clockId, CLOCK_ID.own).bytes);
    if (first) this.#packet.uint(PACKET.firstOnSequence, 1);
    this.#write();
  }
}
