import { parentPort, workerData } from 'node:worker_threads';
import type { EncodedReply, EncodingTask } from './encoding-thread.ts';
import { ColumnEncoder } from './format/column-encoder.ts';
import { encodeFrame } from './format/frame.ts';
import { unpackSegment } from './format/packed-segment.ts';
import type { PackedSegment } from './format/packed-segment.ts';
import { SegmentEncoder } from './format/segment-encoder.ts';

/** The thread that encodes the segments of one trace; `encoding-thread.ts` starts it. */

const { compression, port, replies } = workerData as EncodingTask;
const segments = new SegmentEncoder(new ColumnEncoder(compression));

function encode(packed: PackedSegment): EncodedReply {
  const { content, summary } = segments.encode(unpackSegment(packed));
  return { frame: encodeFrame(content), summary, bytes: segments.bytes, room: packed.buffer };
}

port.on('message', (packed: PackedSegment) => {
  try {
    const reply = encode(packed);
    port.postMessage(reply, [reply.frame.buffer as ArrayBuffer, reply.room]);
  } catch (error) {
    port.postMessage({ failure: error instanceof Error ? error.message : String(error) });
  }
  Atomics.add(replies, 0, 1);
  Atomics.notify(replies, 0);
});
// the trace is done
parentPort?.once('message', () => port.close());
