import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../traces/format/bytes-io.ts';
import type { ByteSink } from '../../traces/format/bytes-io.ts';
import { TraceFile } from '../../traces/format/reader.ts';
import { TraceWriter } from '../../traces/format/writer.ts';
import { Health } from '../../traces/health.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { recordedTrace } from './recorded-trace.ts';

const RECORDED = readFileSync(fileURLToPath(new URL('fixtures/recorded.iorr', import.meta.url)));

function importBytes(bytes: Uint8Array): { trace: MemoryTrace; health: Health; events: number } {
  const trace = new MemoryTrace(new TraceFile(memorySource(RECORDED)).header);
  const health = new Health();
  const header = recordedTrace.describe(bytes);
  const run = recordedTrace.create({ sink: trace, health, file: 'recorded.iorr', header });
  run.push(bytes);
  return { trace, health, events: run.end().events };
}

describe('a recorded trace as an input', () => {
  test('every event comes through with its columns, in order', () => {
    const original = new TraceFile(memorySource(RECORDED));
    const { trace, events } = importBytes(RECORDED);
    expect(events).toBe(original.eventCount);
    expect(trace.streamCounts).toEqual(original.streamCounts);
    const [copy] = trace.segments();
    const [first] = original.segments();
    for (const part of ['stream', 'time', 'cpu', 'task'] as const) expect([...copy![part]]).toEqual([...first![part]]);
    expect([...copy!.rows.unmap.columns.iovaLo]).toEqual([...first!.rows.unmap.columns.iovaLo]);
  });

  test('what the recorder found out about its machine stays in the header', () => {
    expect(recordedTrace.describe(RECORDED)).toMatchObject({
      source: { format: 'tracefs' },
      host: { iommu: 'vtd', emulated: true },
      machine: { units: [{ name: 'dmar0', kind: 'vtd' }] },
      clock: { name: 'mono' },
    });
  });

  test('of a killed recorder what is there is taken, and the rest counted', () => {
    const { health, events } = importBytes(RECORDED.subarray(0, RECORDED.length - 20));
    expect(events).toBeGreaterThan(0);
    expect(health.report().truncated).toBeGreaterThan(0);
  });

  test('what is no trace is one trouble', () => {
    const { health, events } = importBytes(Buffer.from('no trace at all'));
    expect(events).toBe(0);
    expect(health.report()).toMatchObject({ malformed: 1, entries: [{ name: 'no trace of iorr' }] });
  });

  test('a trace that was joined already is refused', () => {
    const parts: Uint8Array[] = [];
    const sink: ByteSink = { write: (bytes) => void parts.push(Uint8Array.from(bytes)) };
    const { header } = new TraceFile(memorySource(RECORDED));
    const sources = [...header.sources, { format: 'qemu-log', producer: 'QEMU' }];
    new TraceWriter(sink, { ...header, sources }).finish({ health: new Health().report(), notes: {} });
    expect(() => recordedTrace.whole!.describe(memorySource(Buffer.concat(parts)))).toThrow(
      'a recording of one source expected, found a trace of tracefs, qemu-log',
    );
  });
});
