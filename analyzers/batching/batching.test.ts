import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { costProfile } from '../../replay/costs/cost-profiles.ts';
import { SketchedTrace } from '../../replay/engine/testing/sketched-trace.ts';
import { hardwareProfile } from '../../replay/hardware/profiles.ts';
import { openTrace } from '../../traces/file.ts';
import type { Trace } from '../../traces/trace.ts';
import { countBatches } from './batches.ts';
import { batchingText } from './batching-text.ts';
import { BATCHES, analyzeBatching } from './batching.ts';

const analyse = (trace: Trace) =>
  analyzeBatching(trace, {
    hardware: hardwareProfile('vtd-64x4', trace.header),
    profile: costProfile('generic-server', trace.header),
  });

/** Buffers of one page at `step` pages from each other, unmapped one behind the other on alternating CPUs. */
function unmaps(count: number, step: number, cpus = 1): SketchedTrace {
  const sketch = new SketchedTrace().tag(4).attach(0x18);
  for (let i = 0; i < count; i++)
    sketch
      .after(100)
      .map(4, 0x1000 + step * i, 1)
      .dma(0x18, 0x1000 + step * i, 4);
  for (let i = 0; i < count; i++)
    sketch
      .by(i % cpus, 100 + (i % cpus))
      .after(100)
      .unmap(4, 0x1000 + step * i, 1);
  return sketch;
}

describe('batches', () => {
  test('unmaps that touch make a run, on one CPU', () => {
    const one = countBatches(unmaps(64, 1).trace);
    expect(one).toMatchObject({ unmaps: 64, unmappedPages: 64, commands: 0, submits: null, submitsPerUnmap: null });
    expect(one.runPages).toMatchObject({ p50: 64, max: 64 });
    expect(one.runUnmaps).toMatchObject({ p50: 64, max: 64 });
    // with a gap between, or from two CPUs in turn, none touches the one before
    expect(countBatches(unmaps(64, 2).trace).runUnmaps.max).toBe(1);
    expect(countBatches(unmaps(64, 1, 2).trace).runUnmaps.max).toBe(1);
    // downwards counts too
    const down = new SketchedTrace().tag(4);
    for (let i = 9; i >= 0; i--) down.map(4, 0x1000 + i, 1);
    for (let i = 9; i >= 0; i--) down.unmap(4, 0x1000 + i, 1);
    expect(countBatches(down.trace).runPages.max).toBe(10);
  });

  test('each batch size is replayed on the same unmaps', async () => {
    const result = await analyse(unmaps(512, 1).trace);
    expect(result.replayed.map(({ batch }) => batch)).toEqual([...BATCHES]);
    const syncs = result.replayed.map((row) => row.syncs);
    expect(syncs[0]).toBe(512);
    expect(syncs.slice(0, 7)).toEqual([512, 256, 128, 64, 32, 16, 8]);
    // a batch of contiguous pages is one command, and all that is saved in waits is paid in exposure
    expect(result.replayed[5]?.commands).toBeLessThanOrEqual(2 * 16);
    const exposed = result.replayed.map(({ pageSeconds }) => pageSeconds ?? 0);
    for (let i = 1; i < 7; i++) expect(exposed[i]).toBeGreaterThan(exposed[i - 1] ?? 0);
  });

  test('a recorded strict guest: one command, one wait an unmap', async () => {
    const trace = openTrace(join(new URL('../../traces/corpus/', import.meta.url).pathname, 'smmuv3-strict-6.12.iorr'));
    try {
      const counts = countBatches(trace);
      expect(counts.unmaps).toBe(13_248);
      expect(counts.submits).toBe(13_259);
      expect(counts.commandsPerSubmit?.max).toBe(1);
      expect(counts.commandsByCpu.reduce((sum, { batches }) => sum + batches, 0)).toBe(counts.submits);
      expect(counts.unmapsByDevice.map(({ name }) => name)).toContain('0000:01:00.0');
    } finally {
      trace.close();
    }
  });

  test('for people', async () => {
    const text = batchingText('a\u001b[31m.iorr', await analyse(unmaps(40, 1).trace));
    expect(text).not.toContain('\u001b');
    expect(text).toContain('no source saw the waits');
    expect(text).toContain('Replayed: unmaps of a batch');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });
});
