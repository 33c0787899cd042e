import type { PlainEvent } from '../../../traces/event.ts';
import { STREAM_NAMES } from '../../../traces/schema.ts';
import type { StreamName } from '../../../traces/schema.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import type { EventExport, ExportSink, ExportSource, Exporter } from '../exporter.ts';
import { tableColumns } from '../stream-table.ts';
import type { TableColumn, TableValue } from '../stream-table.ts';
import { Counters } from './counters.ts';
import { markOf } from './event-marks.ts';
import { Lanes } from './lanes.ts';
import { PacketSequence } from './packet-sequence.ts';
import type { Annotation } from './packet-sequence.ts';
import { Tracks } from './tracks.ts';

/** Bytes of a byte string that an annotation shows. */
const SHOWN_BYTES = 64;
const GROUPS = 'page request groups';

/** Columns that become annotations: time, CPU and task are where the event is drawn. */
const ANNOTATED = Object.fromEntries(
  STREAM_NAMES.map((stream) => [
    stream,
    tableColumns(stream).filter(({ name }) => !['t', 'source', 'duration', 'layout'].includes(name)),
  ]),
) as unknown as { readonly [S in StreamName]: readonly TableColumn[] };

function annotation({ name, hex }: TableColumn, value: Exclude<TableValue, null>): Annotation {
  if (!(value instanceof Uint8Array))
    return typeof value === 'bigint' ? { name, value, pointer: hex } : { name, value };
  const shown = Buffer.from(value.subarray(0, SHOWN_BYTES)).toString('hex');
  return { name, value: value.length > SHOWN_BYTES ? `${shown}… ${value.length} bytes` : shown };
}

function annotationsOf(event: PlainEvent): readonly Annotation[] {
  const annotations: Annotation[] = [];
  for (const column of ANNOTATED[event.stream]) {
    const value = column.valueOf(event);
    // words of a command that it does not have
    if (value === null || (value === 0n && column.hex && column.name !== 'iova')) continue;
    annotations.push(annotation(column, value));
  }
  return annotations;
}

class PerfettoExport implements EventExport {
  readonly #sequence: PacketSequence;
  readonly #tracks: Tracks;
  readonly #counters: Counters;
  readonly #lanes = new Map<number, Lanes>();
  #crowded = 0;

  constructor(source: ExportSource, sink: ExportSink) {
    this.#sequence = new PacketSequence(source.header.clock, sink);
    this.#tracks = new Tracks(this.#sequence);
    this.#counters = new Counters(this.#sequence, this.#tracks, source, ({ rid, pasid, group, requests, ns, at }) => {
      const annotations = [
        { name: 'group', value: group },
        { name: 'requests', value: requests },
        ...(pasid === -1 ? [] : [{ name: 'pasid', value: pasid }]),
      ];
      const device = this.#tracks.device(rid);
      this.#span(device, GROUPS, at, ns, 'group', 'page request group', annotations);
    });
  }

  get notes(): readonly string[] {
    const { clamped } = this.#sequence;
    return [
      ...(this.#crowded === 0 ? [] : [`${this.#crowded} spans overlap too many others: drawn without their length`]),
      ...(clamped === 0 ? [] : [`${clamped} events lie before time 0 of their clock: drawn there`]),
    ];
  }

  event(event: PlainEvent): void {
    const { track, name, lasted } = markOf(event, this.#tracks);
    const annotations = annotationsOf(event);
    if (lasted > 0) this.#span(track, undefined, event.time, lasted, event.stream, name, annotations);
    else this.#sequence.mark('instant', track, event.time, event.stream, name, annotations);
    this.#counters.event(event);
  }

  finish(): void {
    this.#counters.finish();
  }

  /** A span on the first lane of a track that is free; without a name of lanes of their own, the first lane is the track itself. */
  #span(
    track: number,
    lanes: string | undefined,
    end: Nanoseconds,
    lasted: Nanoseconds,
    category: string,
    name: string,
    annotations: readonly Annotation[],
  ): void {
    const base = lanes === undefined ? track : this.#tracks.lane(track, lanes, 0);
    let taken = this.#lanes.get(base);
    if (taken === undefined) {
      taken = new Lanes();
      this.#lanes.set(base, taken);
    }
    const begin = end - lasted;
    const lane = taken.take(begin, end);
    if (lane === -1) {
      this.#crowded++;
      const length: Annotation = { name: 'lasted_ns', value: lasted };
      this.#sequence.mark('instant', base, end, category, name, [...annotations, length]);
      return;
    }
    const drawn = lane === 0 ? base : this.#tracks.lane(track, lanes ?? 'overlapping', lane);
    this.#sequence.mark('begin', drawn, begin, category, name, annotations);
    this.#sequence.end(drawn, end);
  }
}

/** Tracks per CPU, device, command queue and thread, spans and counters, for ui.perfetto.dev and trace_processor. */
export const perfettoExporter: Exporter = {
  name: 'perfetto',
  does: 'tracks per CPU, device, command queue and thread, spans, counters; for ui.perfetto.dev',
  extension: 'perfetto-trace',
  perStream: false,
  open: async (source, sink) => new PerfettoExport(source, sink),
};
