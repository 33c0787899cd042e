import { expect, test } from 'vitest';
import { memorySource } from '../traces/format/bytes-io.ts';
import { Health } from '../traces/health.ts';
import { MemoryTrace } from '../traces/memory-trace.ts';
import { traceDat } from '../recorder/import/trace-dat.ts';
import { guestLog } from './log-text.ts';
import { guestRecords } from './record-file.ts';
import { ZLIB, zstdCompressor } from './records/trace-dat-writer.ts';
import { simulatedTrace } from './simulated-trace.ts';

test.each([
  ['plain', undefined],
  ['zlib', ZLIB],
  // Where nothing can compress by zstd, zlib again.
  ['zstd', zstdCompressor() ?? ZLIB],
])('the records of a simulated trace are those that its text has: %s', (_name, compressor) => {
  const trace = simulatedTrace('packet-nic', ['events=4k', 'devices=2', 'calls=yes']);
  const { bytes, records } = guestRecords(trace, compressor);
  const source = memorySource(bytes);
  const header = traceDat.whole.describe(source);
  const sink = new MemoryTrace({ ...trace.header, ...header, sources: [header.source] });
  const health = new Health();
  const run = traceDat.whole.create({ sink, health, file: 't', header }, source);
  while (run.step());
  const { lines, events } = run.end();
  const printed = [...guestLog(trace)].filter((line) =>
    / (iova|qi_submit|map|unmap|dma_\w+|cache_tag_flush\w*): /.test(line),
  );
  expect([lines, events, health.report().entries]).toEqual([records, records, []]);
  expect(records).toBe(printed.length);
  const { map, unmap, inv, flush } = trace.streamCounts;
  expect(sink.streamCounts).toMatchObject({ map, unmap, flush });
  expect(sink.streamCounts.inv).toBeLessThanOrEqual(inv);
});
