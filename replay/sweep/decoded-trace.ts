import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';

/** A trace whose columns are all decoded, in memory that workers share. Plain data. */
export type DecodedTrace = Omit<Trace, 'segments'> & { readonly decoded: readonly Segment[] };

/** Decodes a trace once for everybody; it takes about 100 bytes an event. */
export function decodeTrace(trace: Trace): DecodedTrace {
  const decoded = [...trace.segments({ shared: true })];
  const { header, strings, health, notes, eventCount, streamCounts } = trace;
  return { header, strings, health, notes, eventCount, streamCounts: { ...streamCounts }, decoded };
}

/** The same as a trace that can be read again and again. Every segment has all columns. */
export function decodedAsTrace({ decoded, ...parts }: DecodedTrace): Trace {
  return {
    ...parts,
    *segments() {
      yield* decoded;
    },
  };
}
