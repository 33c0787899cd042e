import { describe, expect, test } from 'vitest';
import { findImporter } from '../recorder/import/importers.ts';
import { verifyTrace } from '../replay/engine/verify.ts';
import { Health } from '../traces/health.ts';
import { MemoryTrace } from '../traces/memory-trace.ts';
import { hostLog, textChunks } from './log-text.ts';
import { simulatedTrace } from './simulated-trace.ts';

/** Workloads, logs, importers and models are written apart from each other: where they meet, nothing may diverge. */
describe('a simulated run, verified', () => {
  test.each([
    ['devices=1', 'buffer=64'],
    ['devices=5', 'buffer=9000', 'ring=64'],
    ['devices=3', 'buffer=65536', 'ring=16', 'calls=yes'],
  ])('every command and every output of %s %s is what linux-strict and the page tables give', (...settings) => {
    const result = verifyTrace(simulatedTrace('packet-nic', ['events=40k', ...settings]));
    expect(result.divergences).toEqual([]);
    expect(result.byKind.inv?.checked).toBeGreaterThan(1000);
    expect(result.byPart['dma.output']?.checked).toBeGreaterThan(3000);
  });

  test("every hit, miss and reset in the emulator's log of it is what the model of its cache gives", () => {
    const trace = simulatedTrace('packet-nic', ['events=60k', 'devices=4', 'commands=none', 'ring=1024']);
    const importer = findImporter('qemu-log');
    const bytes = Buffer.concat([...textChunks(hostLog(trace))]);
    const header = importer?.describe(bytes.subarray(0, 65536));
    expect(header).toBeDefined();
    if (importer === undefined || header === undefined) return;
    const { source, ...described } = header;
    const sink = new MemoryTrace({ ...described, formatVersion: 1, tool: 'iorr', toolVersion: '0', sources: [source] });
    const run = importer.create({ sink, health: new Health(), file: 'log', header });
    run.push(bytes);
    run.end();
    const result = verifyTrace(sink, { only: ['dma'] });
    expect(result.divergences).toEqual([]);
    expect(result.byPart['dma.outcome']?.checked).toBe(trace.streamCounts.dma);
    // 1,024 entries are less than the rings hold: the cache was emptied again and again.
    expect(result.byPart['dma.reset']?.checked).toBeGreaterThan(10);
  });
});
