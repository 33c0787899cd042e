import { describe, expect, test } from 'vitest';
import { AMD_COMMAND } from '../../traces/dialects/amd-fields.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { DIALECT, INV_FORM, ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import { readInvTraits } from './inv-traits.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

interface Work {
  /** Lists mapped and unmapped by the DMA API, and how many maps and unmaps each makes. */
  readonly lists: number;
  readonly maps: number;
  /** Flushes of mappings and of unmaps, for each list. */
  readonly flushes: number;
  readonly dmaEvents?: boolean;
}

function amdTrace({ lists, maps, flushes, dmaEvents = true }: Work): MemoryTrace {
  const trace = new MemoryTrace(testHeader({ host: { emulated: true } }));
  const mapping = (stream: 'map' | 'unmap', origin: number): void => {
    const row = trace.begin(STREAM_ID[stream], 0, 0, 0);
    trace.rows[stream].columns.origin[row] = origin;
    trace.rows[stream].columns.domain[row] = 3;
  };
  const command = (type: number): void => {
    const row = trace.begin(STREAM_ID.inv, 0, 0, 0);
    const { columns } = trace.rows.inv;
    columns.dialect[row] = DIALECT.amd;
    columns.form[row] = INV_FORM.decoded;
    columns.w0Hi[row] = (type << 28) | 3;
  };
  for (let list = 0; list < lists; list++) {
    for (let i = 0; i < maps; i++) mapping('map', ORIGIN.iommu);
    if (dmaEvents) mapping('map', ORIGIN.dmaApi);
    mapping('unmap', ORIGIN.iommu);
    for (let i = 0; i < flushes; i++) {
      command(AMD_COMMAND.pages);
      command(AMD_COMMAND.completionWait);
    }
  }
  // a lazy system flushes whole domains now and then
  command(AMD_COMMAND.pages);
  command(AMD_COMMAND.completionWait);
  return trace;
}

describe('which design an AMD system with NpCache looks like', () => {
  test.each([
    ['single pages, each map and each unmap flushed', { lists: 100, maps: 1, flushes: 2 }, 'linux-strict'],
    ['long lists, each list and each unmap flushed', { lists: 100, maps: 16, flushes: 2 }, 'linux-strict'],
    ['single pages, maps flushed alone', { lists: 100, maps: 1, flushes: 1 }, 'linux-lazy'],
    ['long lists, maps flushed alone', { lists: 100, maps: 16, flushes: 1 }, 'linux-lazy'],
    ['single pages without DMA API events', { lists: 100, maps: 1, flushes: 2, dmaEvents: false }, 'linux-strict'],
    [
      'single pages without DMA API events, lazily',
      { lists: 100, maps: 1, flushes: 1, dmaEvents: false },
      'linux-lazy',
    ],
  ])('%s', (_, work, design) => {
    expect(readInvTraits(amdTrace(work)).design).toBe(design);
  });
});
