import { expect, test } from 'vitest';
import { EMPTY_HEALTH, FORMAT_VERSION } from '../header.ts';
import { STREAM_ID } from '../schema.ts';
import {
  FRAME,
  FRAME_HEADER_BYTES,
  MAGIC,
  decodePayload,
  encodeFrame,
  encodeTrailer,
  parseFrameHeader,
} from './frame.ts';
import { memorySource } from './bytes-io.ts';
import { TraceFile } from './reader.ts';
import { TraceWriter } from './writer.ts';

test('a footer without an index, as traces of billions of events have, is read by a scan and still counts as closed', () => {
  const parts: Uint8Array[] = [];
  const writer = new TraceWriter(
    { write: (bytes) => parts.push(bytes.slice()) },
    {
      formatVersion: FORMAT_VERSION,
      tool: 'iorr',
      toolVersion: 'test',
      sources: [],
      host: {},
      clock: { epochNs: '0', name: 'boot', resolutionNs: 1 },
      fidelity: {},
    },
  );
  for (let i = 0; i < 10; i++) writer.begin(STREAM_ID.unmap, i, 0, 0);
  writer.finish({ health: EMPTY_HEALTH, notes: { kept: true } });
  const footer = parts.at(-2)!;
  const content = decodePayload(footer.slice(FRAME_HEADER_BYTES), parseFrameHeader(footer)!.checksum)!;
  const { index: _index, strings: _strings, ...rest } = content[1] as Record<string, unknown>;
  const before = parts.slice(0, -2);
  const offset = before.reduce((sum, part) => sum + part.length, 0);
  const whole = Buffer.concat([...before, encodeFrame([FRAME.footer, rest]), encodeTrailer(offset)]);
  expect(whole.subarray(0, MAGIC.length)).toEqual(Buffer.from(MAGIC));
  const trace = new TraceFile(memorySource(whole));
  expect(trace.closed).toBe(true);
  expect(trace.eventCount).toBe(10);
  expect(trace.notes).toEqual({ kept: true });
  expect(trace.health).toEqual(EMPTY_HEALTH);
});
