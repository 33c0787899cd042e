import { STREAM_ID, STREAM_NAMES } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import type { EventSink, ReadPlan, Trace } from '../../../traces/trace.ts';
import { concludeOwners } from './attribution.ts';
import type { Attribution, AttributionOptions } from './attribution.ts';
import { createRowCopier } from '../../../traces/row-copier.ts';
import { EventCursor } from './event-cursor.ts';
import { GuestEvidence } from './guest-evidence.ts';

/** The columns that say who owns a map. */
export const OWNER_PLAN: ReadPlan = {
  columns: {
    map: ['origin', 'domain', 'device', 'iova', 'phys', 'size', 'list', 'call'],
    unmap: ['origin', 'domain', 'device', 'iova', 'size', 'unmapped', 'list', 'call'],
    attach: 'all',
    flush: 'all',
    inv: ['form', 'w0', 'w1'],
  },
};

/** Streams that say something about owners, by number. */
const TELLING = new Uint8Array(STREAM_NAMES.length);
for (const name of ['map', 'unmap', 'attach', 'flush', 'inv'] as const) TELLING[STREAM_ID[name]] = 1;

/**
 * Gathers who owns which map, segment by segment in trace order, from a trace or while it is written. Keeps nothing of the
 * segments. Memory: some 40 bytes per map and unmap, and what is live at once.
 */
export class OwnerSearch {
  readonly #options: AttributionOptions;
  readonly #evidence: GuestEvidence;

  constructor(options: AttributionOptions = {}) {
    this.#options = options;
    this.#evidence = new GuestEvidence(options.flush !== false);
  }

  /** The next segment, with the columns of `OWNER_PLAN` at least. */
  add(segment: Segment): void {
    const { stream, time, cpu, task, count } = segment;
    const evidence = this.#evidence;
    const rows = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      const row = rows[id]!;
      rows[id] = row + 1;
      if (TELLING[id] === 1) evidence.event(id, segment, row, time[i]!, cpu[i]!, task[i]!);
    }
  }

  /** `trace` holds all segments that were added. */
  conclude(trace: Trace): Attribution {
    return concludeOwners(trace, this.#evidence, this.#options);
  }
}

/**
 * Finds the domain and device of every map and unmap of the iommu core, whose own events name neither, in a trace of one
 * guest.
 */
export function attributeTrace(trace: Trace, options: AttributionOptions = {}): Attribution {
  const search = new OwnerSearch(options);
  for (const segment of trace.segments({ ...OWNER_PLAN, reuse: true })) search.add(segment);
  return search.conclude(trace);
}

/** Copies a trace event by event into a sink, with the domains and devices that were found. */
export function writeAttributed(trace: Trace, attribution: Attribution, sink: EventSink): void {
  const copy = createRowCopier(trace, sink);
  const cursor = new EventCursor(trace);
  while (cursor.next()) {
    const { stream, streamRow } = cursor;
    const source = cursor.segment!.source[cursor.index] ?? 0;
    const row = sink.begin(stream, cursor.time, cursor.cpu, cursor.task, source);
    copy(cursor.segment!, stream, cursor.row, row);
    if (stream === STREAM_ID.map) {
      const { columns } = sink.rows.map;
      columns.domain[row] = attribution.mapDomain[streamRow]!;
      columns.device[row] = attribution.mapDevice[streamRow]!;
    } else if (stream === STREAM_ID.unmap) {
      const { columns } = sink.rows.unmap;
      columns.domain[row] = attribution.unmapDomain[streamRow]!;
      columns.device[row] = attribution.unmapDevice[streamRow]!;
    }
  }
}
