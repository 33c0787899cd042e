import type { Segment } from '../segment.ts';
import type { SegmentSummary } from './segment-frame.ts';

/** A segment as it goes to the file. */
export interface EncodedSegment {
  readonly frame: Uint8Array;
  readonly summary: SegmentSummary;
  /** Encoded bytes of all segments so far, as in `SegmentEncoder`. */
  readonly bytes: readonly number[];
}

/** Encodes the segments of one trace elsewhere, in their order, while the next ones are being filled. */
export interface SegmentPipeline {
  /** Takes over a whole segment; its arrays may be changed as soon as this returns. */
  push(segment: Segment): void;
  /** The oldest segment that was not yet taken; undefined where it is not encoded yet and `wait` is false. */
  take(wait: boolean): EncodedSegment | undefined;
  /** Ends what works for it; what was not taken is gone. */
  close(): void;
}
