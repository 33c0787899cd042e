import type { Health } from '../../traces/health.ts';
import type { EventSink } from '../../traces/trace.ts';
import { ABSENT, parseRequester } from '../../traces/units.ts';
import { ByteTable } from '../import/byte-table.ts';
import { printable } from '../import/counted-names.ts';
import type { CopiedRow } from './copied-row.ts';
import type { EventRecord } from './event-record.ts';
import { RowBatch } from './row-batch.ts';
import { SyscallPairs } from './rows/syscall-rows.ts';

/** Longest text that goes into the string table. */
const MAX_TEXT_BYTES = 1024;
/** Different units, attributes and devices kept; what comes after is absent. */
const MAX_REFS = 65536;
const MAX_UNNAMED_DEVICES = 32;
const MAX_TEXTS = 1_000_000;
const DECODER = new TextDecoder();

/**
 * Where events of a kernel go, whether they were read from text or from records: the common columns of the event at hand, the
 * sink, and the tables that turn names into numbers. One object is reused for all events.
 */
export class EventOutput {
  readonly sink: EventSink;
  /** Events that are not in the sink yet. */
  readonly #batch: RowBatch;
  readonly health: Health;
  readonly source: number;
  readonly file: string;
  /** Nanoseconds since the trace's epoch. */
  time = 0;
  cpu = 0;
  task = 0;
  /** Number of the line, or of the record. */
  number = 0;
  /** Rows begun so far. */
  events = 0;
  /** Calls that tasks are in the middle of. */
  readonly syscalls = new SyscallPairs();
  /** Threads that answered page requests. */
  readonly answering = new Set<number>();
  readonly #refs = new ByteTable(MAX_REFS);
  readonly #refIds: number[] = [];
  readonly #devices = new ByteTable(MAX_REFS);
  readonly #deviceIds: number[] = [];
  readonly #unnamed: string[] = [];
  #texts = 0;

  constructor(sink: EventSink, health: Health, file: string, source: number) {
    this.sink = sink;
    this.#batch = new RowBatch(sink, source);
    this.health = health;
    this.file = file;
    this.source = source;
  }

  /** Starts an event with the common columns; returns its row. Call it after all that is needed was read. */
  begin(streamId: number): number {
    this.#batch.settle();
    this.events++;
    return this.sink.begin(streamId, this.time, this.cpu, this.task, this.source);
  }

  /** A kind of events that `add` will be given. */
  register(row: CopiedRow): void {
    this.#batch.register(row);
  }

  /** Takes a whole event from its record, into the sink a little later; false if the record can't be one of it. */
  add(row: CopiedRow, record: EventRecord): boolean {
    const added = this.#batch.add(row, record, this);
    if (added) this.events++;
    return added;
  }

  /** Puts all events into the sink: before others are, and before anybody looks there. */
  settle(): void {
    this.#batch.settle();
  }

  place(): string {
    return `${this.file}:${this.number}`;
  }

  /** String-table index of a name; absent if it is empty. */
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
   * Requester id of a device's name (`0000:00:04.0`); absent for a device that is not on PCI, and for a unit that stands where
   * a device is expected (`mayBeUnit`: VT-d's cache tags of a whole domain name the unit).
   */
  device(bytes: Uint8Array, start: number, end: number, mayBeUnit = false): number {
    const id = this.#devices.add(bytes, start, Math.min(end, start + 64));
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
  freeText(bytes: Uint8Array, start: number, end: number): number {
    const cut = Math.min(end, start + MAX_TEXT_BYTES);
    if (cut < end || this.#texts >= MAX_TEXTS) this.health.add('truncated', 'mark text', this.place());
    if (this.#texts >= MAX_TEXTS) return ABSENT;
    this.#texts++;
    return this.sink.intern(printable(DECODER.decode(bytes.subarray(start, cut)).trimEnd()));
  }

  /** Calls without an end become part of the health record; call once, when all was read. */
  finish(): void {
    const { syscalls, health } = this;
    this.settle();
    syscalls.finish();
    if (syscalls.orphans > 0)
      health.add('ignored', 'return of a call whose beginning is not here', undefined, syscalls.orphans);
    if (syscalls.unfinished > 0) health.add('ignored', 'call that did not return', undefined, syscalls.unfinished);
  }

  /** Devices without a requester id that were met, in order of appearance; for the notes. */
  get unnamedDevices(): readonly string[] {
    return this.#unnamed;
  }
}
