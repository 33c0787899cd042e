import { STREAM_NAMES } from '../traces/schema.ts';
import type { TraceFile } from '../traces/format/reader.ts';
import type { TraceHeader } from '../traces/header.ts';
import type { Nanoseconds } from '../traces/units.ts';

export interface StreamInfo {
  readonly events: number;
  /** Encoded bytes: the stream's own columns and its share, by events, of those that all streams share (time, order, cpu, task). */
  readonly bytes: number;
}

export interface TraceInfo {
  readonly events: number;
  readonly bytes: number;
  readonly bytesPerEvent: number;
  readonly durationNs: Nanoseconds;
  readonly fromNs: Nanoseconds;
  readonly toNs: Nanoseconds;
  readonly closed: boolean;
  readonly segments: number;
  readonly strings: number;
  readonly streams: { readonly [stream: string]: StreamInfo };
  readonly fidelity: TraceHeader['fidelity'];
  readonly header: TraceHeader;
  readonly notes: { readonly [name: string]: unknown };
}

/** What a trace holds and how large it is. With `check`, every segment is decoded, so that all damage shows in its health. */
export function traceInfo(trace: TraceFile, check: boolean): TraceInfo {
  if (check) for (const _segment of trace.segments()) void _segment;
  const encoded = trace.encodedBytes ?? trace.measureBytes();
  const streams: Record<string, StreamInfo> = {};
  for (const name of STREAM_NAMES) {
    const events = trace.streamCounts[name];
    if (events === 0) continue;
    const share = trace.eventCount === 0 ? 0 : (encoded.shared * events) / trace.eventCount;
    streams[name] = { events, bytes: Math.round((encoded.streams[name] ?? 0) + share) };
  }
  const range = trace.timeRange ?? { from: 0, to: 0 };
  return {
    events: trace.eventCount,
    bytes: trace.bytes,
    bytesPerEvent: trace.eventCount === 0 ? 0 : trace.bytes / trace.eventCount,
    durationNs: range.to - range.from,
    fromNs: range.from,
    toNs: range.to,
    closed: trace.closed,
    segments: trace.segmentCount,
    strings: trace.strings.length,
    streams,
    fidelity: trace.header.fidelity,
    header: trace.header,
    notes: trace.notes,
  };
}
