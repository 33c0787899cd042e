import type { Health } from '../../../traces/health.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { ABSENT, parseRequester } from '../../../traces/units.ts';
import { ByteCursor } from '../byte-cursor.ts';
import { ByteTable } from '../byte-table.ts';
import { printable } from '../counted-names.ts';

/** Longest text that goes into the string table. */
const MAX_TEXT_BYTES = 1024;
/** Different units, attributes and devices kept; what comes after is absent. */
const MAX_REFS = 65536;
const MAX_UNNAMED_DEVICES = 32;
const MAX_TEXTS = 1_000_000;
const DECODER = new TextDecoder();

/**
 * One line of an ftrace text, as the parsers of single events see it: a cursor on the event's own text, the common columns,
 * and the way out. One object is reused for all lines.
 */
export class EventLine {
  readonly cursor = new ByteCursor();
  readonly sink: EventSink;
  readonly health: Health;
  readonly source: number;
  /** Nanoseconds since the trace's epoch. */
  time = 0;
  cpu = 0;
  task = 0;
  readonly file: string;
  number = 0;
  readonly #refs = new ByteTable(MAX_REFS);
  readonly #refIds: number[] = [];
  readonly #devices = new ByteTable(MAX_REFS);
  readonly #deviceIds: number[] = [];
  readonly #unnamed: string[] = [];
  #texts = 0;

  constructor(sink: EventSink, health: Health, file: string, source: number) {
    this.sink = sink;
    this.health = health;
    this.file = file;
    this.source = source;
  }

  /** Starts an event with the line's common columns; returns its row. Parsers call it after they have read all they need. */
  begin(streamId: number): number {
    return this.sink.begin(streamId, this.time, this.cpu, this.task, this.source);
  }

  place(): string {
    return `${this.file}:${this.number}`;
  }

  /** String-table index of the cursor's newest token; absent if it is empty. */
  tokenRef(): number {
    const { bytes, tokenStart, tokenEnd } = this.cursor;
    return this.ref(bytes, tokenStart, tokenEnd);
  }

  ref(bytes: Uint8Array, start: number, end: number): number {
    if (end <= start) return ABSENT;
    const id = this.#refs.add(bytes, start, Math.min(end, start + MAX_TEXT_BYTES));
    if (id < 0) return ABSENT;
    let ref = this.#refIds[id];
    if (ref === undefined) {
      ref = this.sink.intern(printable(this.#refs.text(id)));
      this.#refIds[id] = ref;
    }
    return ref;
  }

  /**
   * Requester id of the cursor's newest token (`0000:00:04.0`); absent for a device that is not on PCI, and for a unit that
   * stands where a device is expected (`mayBeUnit`: VT-d's cache tags of a whole domain name the unit).
   */
  tokenDevice(mayBeUnit = false): number {
    const { bytes, tokenStart, tokenEnd } = this.cursor;
    const id = this.#devices.add(bytes, tokenStart, Math.min(tokenEnd, tokenStart + 64));
    if (id < 0) return ABSENT;
    let device = this.#deviceIds[id];
    if (device === undefined) {
      device = parseRequester(this.#devices.text(id));
      this.#deviceIds[id] = device;
      if (device === ABSENT && !mayBeUnit && this.#unnamed.length < MAX_UNNAMED_DEVICES) {
        this.#unnamed.push(printable(this.#devices.text(id)));
      }
    }
    return device;
  }

  /** String-table index of a free text such as a note. Long texts and more than a million of them are cut, and counted. */
  freeText(start: number, end: number): number {
    const cut = Math.min(end, start + MAX_TEXT_BYTES);
    if (cut < end || this.#texts >= MAX_TEXTS) this.health.add('truncated', 'mark text', this.place());
    if (this.#texts >= MAX_TEXTS) return ABSENT;
    this.#texts++;
    return this.sink.intern(printable(DECODER.decode(this.cursor.bytes.subarray(start, cut)).trimEnd()));
  }

  /** Devices without a requester id that were met, in order of appearance; for the notes. */
  get unnamedDevices(): readonly string[] {
    return this.#unnamed;
  }
}

/** A trace event: its names in the text and what reads its arguments. */
export interface EventParser {
  /** As tracefs prints it (`map`) and as perf does (`iommu:map`). */
  readonly names: readonly string[];
  /** Writes the line's event. False if the text is not of the event's shape; then nothing was written. */
  parse(line: EventLine): boolean;
}

/** `system:name` events by their names. */
export function eventParser(system: string, names: readonly string[], parse: EventParser['parse']): EventParser {
  return { names: names.flatMap((name) => [name, `${system}:${name}`]), parse };
}
