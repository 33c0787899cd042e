import { ColumnEncoder } from '../../traces/format/column-encoder.ts';
import { defaultCompression } from '../../traces/format/compression.ts';
import { encodeFrame } from '../../traces/format/frame.ts';
import { SegmentEncoder } from '../../traces/format/segment-encoder.ts';
import type { Segment } from '../../traces/segment.ts';
import { simulatedTrace } from '../simulated-trace.ts';
import type { BenchCase, BenchSuite } from '../suite.ts';

function firstSegment(workload: string, settings: readonly string[]): Segment {
  for (const segment of simulatedTrace(workload, settings).segments()) return segment;
  throw new Error(`${workload} made no segment`);
}

function encodeOnce(encoder: SegmentEncoder, segment: Segment): number {
  return encodeFrame(encoder.encode(segment).content).length;
}

/** A writer chooses a codec for a column's first segment, and for later ones where the column is large and its choices differ. */
function cases(workload: string, settings: readonly string[]): readonly BenchCase[] {
  const segment = firstSegment(workload, settings);
  const steady = new SegmentEncoder(new ColumnEncoder(defaultCompression()));
  const amount = segment.count;
  const how = defaultCompression();
  return [
    { name: `${workload}, ${how}`, amount, unit: 'events', run: () => encodeOnce(steady, segment) },
    {
      name: `${workload}, ${how}, choosing codecs`,
      amount,
      unit: 'events',
      run: () => encodeOnce(new SegmentEncoder(new ColumnEncoder(how)), segment),
    },
  ];
}

export const encode: BenchSuite = {
  name: 'encode',
  summary: 'segments of events into frames of the trace format',
  prepare: () => [...cases('packet-nic', ['events=64Ki', 'calls=yes']), ...cases('dma', ['events=64Ki', 'pages=512'])],
};
