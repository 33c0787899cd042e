import type { TraceHeader } from '../../traces/header.ts';
import type { HealthReport } from '../../traces/health.ts';
import { snapshot } from '../../traces/memory-trace.ts';
import { DIALECT, ORIGIN, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { BytesColumn, StreamName } from '../../traces/schema.ts';
import { SEGMENT_EVENTS, SegmentBuilder } from '../../traces/segment.ts';
import type { Segment } from '../../traces/segment.ts';
import type { EventSink, ReadPlan, Trace } from '../../traces/trace.ts';
import type { DomainId } from '../../traces/units.ts';
import { AS_RECORDED, chooseDriver } from './chosen-hardware.ts';
import { IntentWriter } from './ioctl-intents.ts';
import { findHardware } from './recorded-hardware.ts';
import { IoctlVerification, traceFacts } from './verify-ioctl.ts';
import type { TraceFacts } from './verify-ioctl.ts';

/** Streams that the model writes anew, or that only it reads. */
const REPLACED: ReadonlySet<StreamName> = new Set(['ioctl', 'call', 'map', 'unmap', 'attach', 'dirty']);

/** What became of the calls that intents were derived from. */
export interface Derivation {
  readonly ioctls: number;
  /** Whose recorded result the model does not give: what is derived may differ from what happened. */
  readonly diverged: number;
  /** Whose effect can't be told. */
  readonly skipped: number;
  /** All belong to user space. */
  readonly domains: readonly DomainId[];
  /** Commands, waits included, that invalidations of user space became. */
  readonly commands: number;
}

/** A segment of derived events. */
export interface DerivedSegment extends Segment {
  /** By event: the index of the event that it was made from, in the trace that is read. */
  readonly origins: Float64Array;
}

/**
 * A trace with what its ioctls did to I/O page tables: events of a model of IOMMUFD and VFIO (`IntentWriter`) in the place of
 * the calls. Every reading of the segments plays the model again, so nothing is held but a segment.
 */
export class DerivedTrace implements Trace {
  readonly header: TraceHeader;
  readonly streamCounts: { readonly [S in StreamName]: number };
  readonly eventCount: number;
  readonly derivation: Derivation;
  /** Those of the source first. */
  readonly strings: readonly string[];
  readonly #source: Trace;
  readonly #facts: TraceFacts;

  /** `driver`: one of the model's in the place of what the recording shows. */
  constructor(source: Trace, driver?: string) {
    this.#source = source;
    this.#facts = traceFacts(source, driver);
    const counts = Object.fromEntries(STREAM_NAMES.map((name) => [name, 0])) as Record<StreamName, number>;
    const strings = [...source.strings];
    this.strings = strings;
    const play = this.#play({ columns: {} }, strings);
    let step = play.next();
    for (; step.done !== true; step = play.next()) {
      for (const name of STREAM_NAMES) counts[name] += step.value.rows[name].count;
    }
    this.derivation = step.value;
    this.streamCounts = counts;
    this.eventCount = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const { fidelity, host } = source.header;
    const derived = fidelity.ioctl ?? 'partial';
    const streams = { map: derived, unmap: derived, attach: derived, dirty: derived };
    const { commands } = this.derivation;
    const iommu = host.iommu ?? (commands > 0 ? this.#facts.driver?.name : undefined);
    this.header = {
      ...source.header,
      host: iommu === undefined ? host : { ...host, iommu },
      fidelity: { ...fidelity, ...streams, ...(commands > 0 ? { inv: derived } : {}) },
    };
  }

  get health(): HealthReport {
    return this.#source.health;
  }

  get notes(): Trace['notes'] {
    return this.#source.notes;
  }

  /** `from` and `to` are not looked at: a model needs all that came before. */
  *segments(plan: ReadPlan = {}): Generator<DerivedSegment> {
    yield* this.#play(plan, [...this.strings]);
  }

  *#play({ columns }: ReadPlan, strings: string[]): Generator<DerivedSegment, Derivation> {
    const sink = new SegmentQueue(strings);
    const { driver } = this.#facts;
    const writer = new IntentWriter(sink, driver?.name === 'smmuv3' ? DIALECT.smmuv3 : DIALECT.vtd);
    const model = new IoctlVerification(this.#facts, { intents: writer });
    const wanted = columns && { ...columns, ioctl: 'all' as const, call: 'all' as const, lost: 'all' as const };
    for (const segment of this.#source.segments(wanted === undefined ? {} : { columns: wanted })) {
      yield* playSegment(segment, model, writer, sink, this.#source.strings);
    }
    yield* sink.take(true);
    const { counts, skipped } = model.result();
    return {
      ioctls: this.#source.streamCounts.ioctl,
      diverged: counts.diverged,
      skipped: Object.values(skipped).reduce((sum, count) => sum + count, 0),
      domains: writer.domains,
      commands: writer.commands,
    };
  }
}

/**
 * A trace whose ioctls are its only source of maps, with what they imply; undefined for all others. VFIO's own maps in a VMM's
 * log are requests, which its ioctls carry out.
 */
export function deriveIntents(trace: Trace, driver?: string): DerivedTrace | undefined {
  const { ioctl, map, unmap } = trace.streamCounts;
  if (ioctl === 0) return undefined;
  if (map + unmap > 0) {
    for (const { rows } of trace.segments({ columns: { map: ['origin'], unmap: ['origin'] }, reuse: true })) {
      for (const { columns, count } of [rows.map, rows.unmap]) {
        for (let i = 0; i < count; i++) if (columns.origin[i] !== ORIGIN.vfio) return undefined;
      }
    }
  }
  const derived = new DerivedTrace(trace, driver);
  return derived.streamCounts.map + derived.streamCounts.unmap + derived.derivation.commands > 0 ? derived : undefined;
}

/**
 * The header of a trace, with the IOMMU that its calls show where it names none and guests have tables of their own: so that
 * `auto` hardware is of the right architecture.
 */
export function callsHeader(trace: Trace): TraceHeader {
  const { header, streamCounts } = trace;
  if (header.host.iommu !== undefined || streamCounts.ioctl === 0) return header;
  const iommu = chooseDriver(AS_RECORDED, findHardware(trace), header)?.name;
  return iommu === undefined ? header : { ...header, host: { ...header.host, iommu } };
}

/** What results say about derived intents. */
export function derivationCaveats({ derivation }: DerivedTrace): string[] {
  const { ioctls, diverged, skipped, commands } = derivation;
  const list = [
    `maps, unmaps and attachments are derived from ${ioctls} ioctls by the model of IOMMUFD and VFIO; where the recording has no page frames, memory counts as contiguous and user addresses stand in for physical ones`,
  ];
  if (commands > 0) {
    list.push(
      `${commands} commands and waits are what a host's driver makes of the invalidations that user space asked for; those that it sends by itself when it unmaps are in no call`,
    );
  }
  if (diverged > 0) list.push(`${diverged} ioctls returned other than the model: iorr verify --only ioctl lists them`);
  if (skipped > 0) list.push(`${skipped} calls could not be compared with the model, and may have done otherwise`);
  return list;
}

function* playSegment(
  segment: Segment,
  model: IoctlVerification,
  writer: IntentWriter,
  sink: SegmentQueue,
  strings: readonly string[],
): Generator<DerivedSegment> {
  const cursor = new Int32Array(STREAM_NAMES.length);
  const { stream, time, cpu, task, source, rows, firstEvent } = segment;
  for (let i = 0; i < segment.count; i++) {
    const id = stream[i] ?? 0;
    const row = cursor[id] ?? 0;
    cursor[id] = row + 1;
    sink.origin = firstEvent + i;
    const moment = { time: time[i] ?? 0, cpu: cpu[i] ?? 0, task: task[i] ?? 0, source: source[i] ?? 0 };
    if (id === STREAM_ID.ioctl || id === STREAM_ID.call) {
      writer.now = moment;
      if (id === STREAM_ID.ioctl) model.ioctl(firstEvent + i, rows.ioctl.columns, row, strings);
      else model.call(firstEvent + i, rows.call.columns, row, strings, moment.task);
      if (sink.ready) yield* sink.take(false);
      continue;
    }
    if (id === STREAM_ID.lost) model.lost();
    const name = STREAM_NAMES[id];
    if (name === undefined || REPLACED.has(name)) continue;
    copyRow(segment, name, row, sink, sink.begin(id, moment.time, moment.cpu, moment.task, moment.source));
    if (sink.ready) yield* sink.take(false);
  }
}

/** Columns that the segment was not decoded with stay as `begin` put them. */
function copyRow(segment: Segment, name: StreamName, from: number, sink: EventSink, to: number): void {
  const target = sink.rows[name].columns as unknown as Record<string, Int32Array | BytesColumn | undefined>;
  for (const [property, column] of Object.entries(
    segment.rows[name].columns as Record<string, Int32Array | BytesColumn>,
  )) {
    const into = target[property];
    if (into === undefined) continue;
    if (!(column instanceof Int32Array)) {
      const bytes = column.data.subarray(column.offsets[from] ?? 0, column.offsets[from + 1] ?? 0);
      if (bytes.length > 0) sink.setBytes(into as BytesColumn, to, bytes);
    } else if (into instanceof Int32Array && from < column.length) into[to] = column[from] ?? 0;
  }
}

/** Collects events into segments that are handed out while others are made. Texts are those of the trace that is read, and more. */
class SegmentQueue implements EventSink {
  /** The event that is at hand in the trace that is read. */
  origin = 0;
  readonly #builder = new SegmentBuilder();
  readonly #origins = new Float64Array(SEGMENT_EVENTS);
  readonly #strings: string[];
  #done: DerivedSegment[] = [];
  #events = 0;

  constructor(strings: string[]) {
    this.#strings = strings;
  }

  get rows(): EventSink['rows'] {
    return this.#builder.rows;
  }

  begin(streamId: number, time: number, cpu: number, task: number, source = 0): number {
    if (this.#builder.full) this.#seal();
    this.#events++;
    this.#origins[this.#builder.count] = this.origin;
    return this.#builder.begin(streamId, time, cpu, task, source);
  }

  setBytes(column: BytesColumn, row: number, value: Uint8Array): void {
    this.#builder.setBytes(column, row, value);
  }

  intern(text: string): number {
    const known = this.#strings.indexOf(text);
    return known >= 0 ? known : this.#strings.push(text) - 1;
  }

  /** Whether a segment is full. */
  get ready(): boolean {
    return this.#done.length > 0;
  }

  /** Full segments; `all`: also what was begun. */
  take(all: boolean): DerivedSegment[] {
    if (all && this.#builder.count > 0) this.#seal();
    const taken = this.#done;
    this.#done = [];
    return taken;
  }

  #seal(): void {
    const { count } = this.#builder;
    this.#done.push({ ...snapshot(this.#builder), origins: this.#origins.slice(0, count) });
    this.#builder.clear(this.#events);
  }
}
