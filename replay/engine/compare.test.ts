import { getEventListeners } from 'node:events';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../traces/random.ts';
import type { Trace } from '../../traces/trace.ts';
import { costProfile } from '../costs/cost-profiles.ts';
import { findDesign } from '../designs/designs.ts';
import { HARDWARE } from '../hardware/profiles.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import type { CompareResult, DesignResult } from '../results.ts';
import { compareTrace } from './compare.ts';
import type { CompareOptions } from './compare.ts';
import { applySettings } from './compare-settings.ts';
import { SketchedTrace } from './testing/sketched-trace.ts';

const SERVER = HARDWARE.find((profile) => profile.name === 'vtd-64x4') as HardwareProfile;
const WORKER = new URL('../../dist/replay/engine/compare-worker.js', import.meta.url);

async function compare(trace: Trace, options: Partial<CompareOptions> = {}): Promise<CompareResult> {
  const result = await compareTrace(trace, {
    designs: ['linux-strict', 'linux-lazy'],
    hardware: SERVER,
    profile: costProfile('generic-server', trace.header),
    ...options,
  });
  if (result === undefined) throw new Error('aborted');
  return result;
}

function row(result: CompareResult, name: string): DesignResult {
  const found = result.designs.find((design) => design.name === name);
  if (found === undefined) throw new Error(`no row ${name}`);
  return found;
}

/** Buffers of a device that are mapped, used and unmapped on two CPUs, addresses reused at once, as a strict system records. */
function workload(events: number, seed = 1): SketchedTrace {
  const random = new Random(seed);
  const sketch = new SketchedTrace().tag(4).attach(0x18).mark('lab: start');
  const live: { page: number; pages: number; cpu: number }[] = [];
  const free = Array.from({ length: 64 }, (_, i) => 0x1000 + 8 * i);
  for (let i = 0; i < events; i++) {
    sketch.after(1000 + random.below(20_000));
    const page = free.length > 0 && (live.length === 0 || random.chance(0.5)) ? free.pop() : undefined;
    if (page !== undefined) {
      const pages = 1 + random.below(8);
      const cpu = random.below(2);
      sketch.by(cpu, 100 + cpu).map(4, page, pages);
      live.push({ page, pages, cpu });
      for (let p = 0; p < pages; p++) sketch.after(100).dma(0x18, page + p, 4);
    } else {
      const [buffer] = live.splice(random.below(live.length), 1);
      if (buffer === undefined) continue;
      sketch.by(buffer.cpu, 100 + buffer.cpu).unmap(4, buffer.page, buffer.pages);
      free.push(buffer.page);
    }
  }
  return sketch;
}

describe('compare', () => {
  test('each design sends its own commands for the same intents', async () => {
    const { trace } = workload(3000);
    const result = await compare(trace);
    const unmaps = trace.streamCounts.unmap;
    const strict = row(result, 'linux-strict');
    const lazy = row(result, 'linux-lazy');
    expect(strict).toMatchObject({ unmaps, commands: unmaps, syncs: unmaps, doorbells: unmaps, path: 'native' });
    expect(strict.commandsByType).toEqual({ iotlb: unmaps });
    expect(lazy.unmaps).toBe(unmaps);
    expect(lazy.commands).toBeLessThan(unmaps / 10);
    expect(lazy.cpuNs).toBeLessThan(strict.cpuNs);
    expect(strict.iotlb?.lookups).toBe(trace.streamCounts.dma);
    // nobody uses a page after its unmap, and addresses that are queued are not handed out again
    expect(strict.stale).toEqual({ translations: 0, maxAgeNs: 0 });
    expect(lazy.stale).toEqual({ translations: 0, maxAgeNs: 0 });
    expect(strict.exposure?.pages).toBeGreaterThan(0);
    expect(lazy.exposure?.pageSeconds ?? 0).toBeGreaterThan(100 * (strict.exposure?.pageSeconds ?? 0));
    expect(lazy.exposure?.endedBy.remap).toBe(0);
    expect(result.recorded).toBeNull();
    expect(result.access).toBe('recorded');
    expect(result.marks).toEqual([{ t: 0, text: 'lab: start' }]);
    expect(result.events).toBe(trace.eventCount);
    expect(lazy.series.commands.reduce((a, b) => a + b, 0)).toBe(lazy.commands);
  });

  test('the figures of a small trace', async () => {
    const sketch = new SketchedTrace().tag(4).attach(0x18);
    sketch.map(4, 0x10, 2).after(1000).dma(0x18, 0x10).dma(0x18, 0x11).after(1000).dma(0x18, 0x10);
    sketch.after(10_000).unmap(4, 0x10, 2).after(100).dma(0x18, 0x10).after(20e6).map(4, 0x30);
    const result = await compare(sketch.trace);
    // unmap 150 ns + 2 x 0.7, 2 x 20 to write, 100 to ring, 400 to fetch, 300 for the command, 200 to wait
    expect(row(result, 'linux-strict')).toMatchObject({
      unmaps: 1,
      commands: 1,
      syncs: 1,
      cpuNs: 151 + 40 + 100 + 900,
      // two walks at once: the first reads all four levels, the other the last
      stallNs: 4 * 197,
      time: {
        submitToWait: { count: 1, mean: 1040, p50: 1040, max: 1040 },
        lockWait: { count: 1, max: 0 },
        lateNs: 0,
        queues: [{ index: 0, commands: 1, tailWrites: 1, deepest: 2, fullStalls: 0, fullStallNs: 0 }],
        devices: [{ rid: 0x18, requests: 4, walks: 2, walkReads: 5, merged: 0, waitNs: 5 * 197, stallNs: 4 * 197 }],
      },
      iotlb: { lookups: 4, hits: 2, misses: 2 },
      exposure: { pages: 2, unmappedPages: 2, ns: { p50: 991, max: 991 }, endedBy: { command: 2 } },
      // the device used a page 100 ns after its unmap, 891 ns before the command took effect
      stale: { translations: 1, maxAgeNs: 100 },
    });
    expect(row(result, 'linux-lazy')).toMatchObject({
      commands: 1,
      cpuNs: 151 + 40 + 40 + 100 + 900,
      // armed in tick 0, runs out at 16 ms; the unmap was at 12 us
      exposure: { pages: 2, ns: { max: 16e6 - 12_000 + 840 } },
      stale: { translations: 1, maxAgeNs: 100 },
    });
    const lines = [row(result, 'linux-strict'), row(result, 'linux-lazy')].map(
      ({ name, commands, syncs, exposure }) => `${name} ${commands} ${syncs} ${exposure?.pageSeconds.toFixed(9)}`,
    );
    expect(lines).toEqual(['linux-strict 1 1 0.000001982', 'linux-lazy 1 1 0.031977680']);
  });

  test('CPUs that submit at once wait for each other, and for longer than the recording left', async () => {
    const sketch = new SketchedTrace().tag(4);
    for (let i = 0; i < 20; i++)
      sketch
        .by(0, 1)
        .unmap(4, i)
        .by(1, 2)
        .unmap(4, 0x100 + i)
        .after(500);
    sketch.after(1e6);
    const result = await compare(sketch.trace, { cores: [1, 2] });
    const { scaling, time } = row(result, 'linux-strict');
    expect(time.submitToWait.count).toBe(40);
    // each takes 1040 ns alone; two at once share the lock and the unit, and come every 650 ns
    expect(time.submitToWait.p50).toBeGreaterThan(1040);
    expect(time.lockWait.max).toBeGreaterThan(100);
    expect(time.lateNs).toBeGreaterThan(5000);
    expect(result.caveats.some((text) => text.includes('late'))).toBe(true);
    expect(time.queues).toMatchObject([{ index: 0, commands: 40, tailWrites: 40, fullStalls: 0 }]);
    const [queue] = time.queues;
    const busy = queue?.series.utilisation.reduce((sum, share) => sum + share * (queue?.series.binNs ?? 0), 0);
    expect(busy).toBeCloseTo(40 * 500, 3);
    expect((queue?.utilisation ?? 0) * time.spanNs).toBeCloseTo(40 * 500, 3);
    expect(scaling?.points.map(({ cores }) => cores)).toEqual([1, 2]);
    expect(scaling?.demandNs).toEqual({ hardware: 500, lock: 140 });
  });

  test('without accesses what rests on them is unknown, not 0', async () => {
    const sketch = new SketchedTrace().tag(4).map(4, 1).unmap(4, 1);
    const result = await compare(sketch.trace);
    expect(result.access).toBe('none');
    for (const design of result.designs) {
      expect(design).toMatchObject({
        commands: expect.any(Number),
        iotlb: null,
        exposure: null,
        stale: null,
        wasted: null,
      });
    }
    expect(result.caveats[0]).toMatch(/^no accesses: /);
    await expect(compare(sketch.trace, { access: 'recorded' })).rejects.toThrow(
      expect.objectContaining({ code: 'STREAM_MISSING' }),
    );
    await expect(compare(new SketchedTrace().dma(1, 2).trace)).rejects.toThrow(/maps and unmaps/);
  });

  test('an access model fills in, and says so', async () => {
    const sketch = new SketchedTrace().tag(4);
    for (let i = 0; i < 50; i++)
      sketch
        .after(5000)
        .map(4, 0x10 + i)
        .after(5000)
        .unmap(4, 0x10 + i);
    sketch.after(5000).mark('end');
    const result = await compare(sketch.trace, { access: 'touch-once' });
    expect(row(result, 'linux-strict')).toMatchObject({
      iotlb: { lookups: 50, hits: 0 },
      exposure: { pages: 50, endedBy: { command: 50 } },
    });
    expect(result.caveats[0]).toContain("the access model 'touch-once'");
    const seeds = await Promise.all([1, 1, 2].map((seed) => compare(workload(500).trace, { access: 'uniform', seed })));
    expect(seeds[0]).toEqual(seeds[1]);
    expect(seeds[0]?.designs).not.toEqual(seeds[2]?.designs);
  });

  test('maps and unmaps without a domain are left out and counted', async () => {
    const sketch = new SketchedTrace().tag(4).map(4, 1).unmap(4, 1).map(-1, 2).unmap(-1, 2);
    const result = await compare(sketch.trace);
    expect(row(result, 'linux-strict')).toMatchObject({ unmaps: 1, commands: 1 });
    expect(result.caveats.find((text) => text.includes('no domain'))).toContain(
      '2 of 4 maps and unmaps (1 maps, 1 unmaps)',
    );
  });

  test('domains without tags are assumed to have one IOTLB, and torn down ones none', async () => {
    const started = new SketchedTrace().unmap(7, 1);
    const result = await compare(started.trace);
    expect(row(result, 'linux-strict').commands).toBe(1);
    expect(result.caveats.some((text) => text.startsWith('domains 7 have no cache tags'))).toBe(true);
    // going away empties the cache, and then there is nothing to flush
    const gone = new SketchedTrace().tag(7).tag(7, -1, 0, 'unassign').unmap(7, 1);
    for (const design of (await compare(gone.trace)).designs) expect(design).toMatchObject({ unmaps: 1, commands: 1 });
  });

  test('domains of user space are flushed at its own syncs, whatever the design', async () => {
    const sketch = new SketchedTrace().tag(4).attach(0x18).tag(5).attach(0x18);
    sketch.unmap(5, 0x10).unmap(5, 0x11).flush(5, 0x10, 2).after(1000);
    const result = await compare(sketch.trace);
    for (const design of result.designs) expect(design).toMatchObject({ unmaps: 2, commands: 1 });
    expect(result.caveats.some((text) => text.includes('user space owns'))).toBe(true);
    const pasid = new SketchedTrace().tag(6, -1, 7).unmap(6, 1).unmap(6, 2).flush(6, 1, 2);
    for (const design of (await compare(pasid.trace)).designs) expect(design).toMatchObject({ unmaps: 2, commands: 1 });
  });

  test('the recorded row replays the commands of the trace on the same hardware', async () => {
    const sketch = new SketchedTrace().tag(4).attach(0x18, 4).map(4, 1).dma(0x18, 1, 4).after(2000).unmap(4, 1);
    sketch.flush(4, 1).after(3000).inv(0x400f2n, 0x1040n).inv(0x200000025n, 0x5000n);
    const { recorded } = await compare(sketch.trace);
    expect(recorded).toMatchObject({
      name: 'recorded',
      commands: 1,
      syncs: 1,
      exposure: { pages: 1, ns: { max: 3000 } },
    });
  });

  test('once strict is done, no unmapped page stays cached', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), async (seed) => {
        const sketch = workload(300, seed);
        sketch.after(1e6).by(3, 3).map(4, 0x9000);
        const { exposure } = row(await compare(sketch.trace), 'linux-strict');
        expect(exposure?.endedBy.open).toBe(0);
        expect(exposure?.ns.max).toBeLessThan(3000);
      }),
      { numRuns: 20 },
    );
  });

  test('the result does not depend on the number of jobs', async () => {
    expect(existsSync(WORKER), 'npm run build makes the worker that this test starts').toBe(true);
    const { trace } = workload(4000);
    const { signal } = new AbortController();
    const results = await Promise.all([1, 2, 3].map((jobs) => compare(trace, { jobs, signal })));
    // many comparisons may be asked for under one signal
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const texts = results.map((result) => JSON.stringify(result));
    expect(texts[1]).toBe(texts[0]);
    expect(texts[2]).toBe(texts[0]);
  });

  test('an abort ends it without a result', async () => {
    const stop = new AbortController();
    stop.abort();
    const { trace } = workload(10);
    const options = { designs: ['linux-strict'], hardware: SERVER, profile: costProfile('auto', trace.header) };
    expect(await compareTrace(trace, { ...options, signal: stop.signal })).toBeUndefined();
  });
});

describe('settings', () => {
  const apply = (...settings: string[]): ReturnType<typeof applySettings> => {
    const lazy = findDesign('linux-lazy');
    if (lazy === undefined) throw new Error('linux-lazy is gone');
    return applySettings(settings, SERVER, costProfile('generic-server', workload(1).trace.header), [lazy]);
  };

  test('go to whoever has the name', () => {
    const { hardware, parameters, profile } = apply('queue.wait=500,linux-lazy.timeout=1', 'sets=128');
    expect(profile.parameters.find(({ name }) => name === 'queue.wait')).toMatchObject({
      value: 500,
      source: 'set by the user',
    });
    expect([...parameters]).toEqual([['linux-lazy.timeout', 1]]);
    expect(hardware.parameters.find(({ name }) => name === 'iotlb.sets')?.value).toBe(128);
  });

  test('kernel takes a version, and the designs follow its rules', async () => {
    const [setting] = apply('kernel=6.6.12').parameters;
    expect(setting).toEqual(['kernel', 606]);
    expect(() => apply('kernel=new')).toThrow(/takes a Linux version/);
    const { trace } = new SketchedTrace().tag(4).tag(4, 0x18).attach(0x18, 4).map(4, 1).dma(0x18, 1, 4).unmap(4, 1);
    const old = await compare(trace, { parameters: new Map([['kernel', 606]]) });
    const now = await compare(trace);
    // each command with its own wait; from 6.12 on one for both
    expect(row(old, 'linux-strict')).toMatchObject({ commands: 2, syncs: 2 });
    expect(row(now, 'linux-strict')).toMatchObject({ commands: 2, syncs: 1 });
    expect(old.parameters[0]).toMatchObject({ name: 'kernel', value: 606 });
  });

  test('what nobody has, or is out of range, is refused with the next step', () => {
    expect(() => apply('queue.wiat=1')).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: "did you mean 'queue.wait'?" }),
    );
    expect(() => apply('linux-lazy.hz=0')).toThrow(/from 1 to 10000/);
    expect(() => apply('queue.wait=')).toThrow(/takes a number/);
    expect(() => apply('queue.entries=1e9')).toThrow(/from 0 to 1048576/);
    expect(() => apply('device.reads=0')).toThrow(/from 1 to 65536/);
    expect(() => apply('nonsense=1')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test('a shorter timeout exposes less', async () => {
    const sketch = new SketchedTrace().tag(4).attach(0x18);
    for (let i = 0; i < 100; i++) sketch.map(4, i).dma(0x18, i, 4).after(300_000).unmap(4, i).after(700_000);
    const { trace } = sketch;
    const usual = row(await compare(trace), 'linux-lazy');
    const short = row(await compare(trace, { parameters: new Map([['linux-lazy.timeout', 1]]) }), 'linux-lazy');
    expect(short.exposure?.pageSeconds ?? 0).toBeGreaterThan(0);
    expect(short.exposure?.pageSeconds ?? 0).toBeLessThan(0.6 * (usual.exposure?.pageSeconds ?? 0));
    expect(short.commands).toBeGreaterThan(usual.commands);
  });
});
