import { describe, expect, test } from 'vitest';
import type { Importer } from '../recorder/import/importer.ts';
import { IMPORTERS, detectImporter, findImporter } from '../recorder/import/importers.ts';
import { plainEvents } from '../traces/event.ts';
import type { PlainEvent } from '../traces/event.ts';
import { Health } from '../traces/health.ts';
import { MemoryTrace } from '../traces/memory-trace.ts';
import type { Trace } from '../traces/trace.ts';
import { testHeader } from '../traces/testing/test-header.ts';
import { guestLog, hostLog, textChunks } from './log-text.ts';
import { simulatedTrace } from './simulated-trace.ts';

const SETTINGS = ['events=20k', 'devices=3', 'ring=64', 'calls=yes', 'buffer=9000'];

function imported(importer: Importer, lines: Iterable<string>): { trace: MemoryTrace; health: Health } {
  const bytes = Buffer.concat([...textChunks(lines)]);
  const header = importer.describe(bytes.subarray(0, 65536));
  const trace = new MemoryTrace(
    testHeader({ sources: [header.source], host: header.host, clock: header.clock, fidelity: header.fidelity }),
  );
  const health = new Health();
  const run = importer.create({ sink: trace, health, file: 'log', header });
  run.push(bytes);
  run.end();
  return { trace, health };
}

function importerOf(name: string): Importer {
  return findImporter(name) ?? (IMPORTERS[0] as Importer);
}

/** Each event of some streams as one text of the columns that the log carries. */
function shown(trace: Trace, keep: (event: PlainEvent) => readonly string[] | undefined): string[] {
  const lines: string[] = [];
  for (const segment of trace.segments()) {
    for (const event of plainEvents(segment, trace.strings)) {
      const columns = keep(event);
      if (columns !== undefined)
        lines.push(`${event.stream} ${columns.map((name) => String(event.fields[name])).join(' ')}`);
    }
  }
  return lines;
}

function isWait(event: PlainEvent): boolean {
  return event.fields['form'] !== 0 || (Number(event.fields['w0']) & 0xf) === 5;
}

describe('a simulated trace as text', () => {
  const trace = simulatedTrace('packet-nic', SETTINGS);

  test("the guest's log is recognised, and importing it gives the events back", () => {
    const head = Buffer.concat([...textChunks(guestLog(trace))].slice(0, 1));
    expect(detectImporter(head)?.name).toBe('ftrace-text');
    const { trace: again, health } = imported(importerOf('ftrace-text'), guestLog(trace));
    expect(health.report().entries).toEqual([]);
    const keep = (event: PlainEvent): readonly string[] | undefined => {
      if (event.stream === 'map') return ['origin', 'call', 'iova', 'phys', 'size'];
      if (event.stream === 'unmap') return ['origin', 'call', 'iova', 'size'];
      if (event.stream === 'attach') return ['kind', 'unit', 'device', 'domain', 'refs'];
      if (event.stream === 'flush') return ['op', 'unit', 'domain', 'start', 'end', 'addr', 'mask'];
      if (event.stream === 'inv' && !isWait(event)) return ['w0', 'w1', 'unit'];
      return undefined;
    };
    const expected = shown(trace, keep);
    expect(expected.length).toBeGreaterThan(8000);
    expect(shown(again, keep)).toEqual(expected);
  });

  test("the hardware's log is recognised, and importing it gives accesses and commands back", () => {
    const head = Buffer.concat([...textChunks(hostLog(trace))].slice(0, 1));
    expect(detectImporter(head)?.name).toBe('qemu-log');
    const { trace: again, health } = imported(importerOf('qemu-log'), hostLog(trace));
    expect(health.report()).toMatchObject({ malformed: 0, unknown: 0, lost: 0, truncated: 0 });
    const keep = (event: PlainEvent): readonly string[] | undefined => {
      if (event.stream === 'dma') return ['rid', 'domain', 'iova', 'pageShift'];
      if (event.stream === 'inv') return ['form', 'w0', 'w1'];
      return undefined;
    };
    const expected = shown(trace, keep);
    expect(expected.length).toBeGreaterThan(8000);
    expect(shown(again, keep)).toEqual(expected);
  });
});
