import { STREAM_ID } from '../../../traces/schema.ts';
import type { EventSink, ReadPlan, Trace } from '../../../traces/trace.ts';
import { concludeOwners } from './attribution.ts';
import type { Attribution, AttributionOptions } from './attribution.ts';
import { createRowCopier } from './event-copy.ts';
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

/**
 * Finds the domain and device of every map and unmap of the iommu core, whose own events name neither, in a trace of one
 * guest. Memory: some 40 bytes per map and unmap, and what is live at once.
 */
export function attributeTrace(trace: Trace, options: AttributionOptions = {}): Attribution {
  const evidence = new GuestEvidence(options.flush !== false);
  const cursor = new EventCursor(trace, OWNER_PLAN);
  while (cursor.next()) {
    evidence.event(cursor.stream, cursor.segment!, cursor.row, cursor.time, cursor.cpu, cursor.task);
  }
  return concludeOwners(trace, evidence, options);
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
