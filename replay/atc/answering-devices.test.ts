import { describe, expect, test } from 'vitest';
import { costProfile } from '../costs/cost-profiles.ts';
import { compareTrace } from '../engine/compare.ts';
import { SketchedTrace } from '../engine/testing/sketched-trace.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import type { DesignResult } from '../results.ts';
import { ANSWER, AnsweringDevices } from './answering-devices.ts';
import { atcParameter } from './atc-parameters.ts';
import { findAtcPolicy } from './atc-policy.ts';

const MEAN = 1000;

function devices(policy: string, settings: { readonly [name: string]: number } = {}, seed = 1): AnsweringDevices {
  return new AnsweringDevices(findAtcPolicy(policy), MEAN, atcParameter(new Map(Object.entries(settings))), seed);
}

describe('devices that answer invalidations', () => {
  test('each command takes the mean, if nothing else is said', () => {
    const atc = devices('retry');
    expect(atc.counts(1)).toBeNull();
    expect([atc.serve(0x18), atc.serve(0x20), atc.serve(0x18)]).toEqual([MEAN, MEAN, MEAN]);
    expect(atc.counts(2)).toMatchObject({ commands: 3, perUnmap: 1.5, timeouts: 0, lost: 0, unsent: 0 });
    expect(atc.counts(0)?.perUnmap).toBeNull();
  });

  test('devices differ, and a device is itself again with the same seed', () => {
    const serve = (seed: number) => {
      const atc = devices('retry', { 'atc.spread': 0.5, 'atc.tail': 200 }, seed);
      return [1, 2, 3, 1, 2, 3].map((rid) => atc.serve(rid));
    };
    expect(serve(1)).toEqual(serve(1));
    expect(serve(1)).not.toEqual(serve(2));
    for (const ns of serve(3)) expect(ns).toBeGreaterThanOrEqual(MEAN);
    // the mean of the tail
    const atc = devices('retry', { 'atc.tail': 200 });
    let sum = 0;
    for (let i = 0; i < 20_000; i++) sum += atc.serve(0x18) - MEAN;
    expect(sum / 20_000).toBeGreaterThan(190);
    expect(sum / 20_000).toBeLessThan(210);
  });

  test('one that fails is asked again, passed over, or cut off', () => {
    const failing = { 'atc.timeout-every': 3, 'atc.failing-device': 0x18, 'atc.timeout': 1 };
    const answers = (policy: string) => {
      const atc = devices(policy, failing);
      const told = Array.from({ length: 7 }, () => {
        const ns = atc.serve(0x18);
        return [ns, atc.answer];
      });
      expect(atc.serve(0x20)).toBe(MEAN);
      return { told, counts: atc.counts(8), cutOff: atc.isCutOff(0x18) };
    };
    const usual = [MEAN, ANSWER.done];
    const retry = answers('retry');
    const again = [1e6 + MEAN, ANSWER.done];
    expect(retry.told).toEqual([usual, usual, again, usual, usual, again, usual]);
    expect(retry.counts).toMatchObject({ commands: 8, timeouts: 2, timeoutNs: 2e6, lost: 0 });
    const on = answers('continue');
    const lost = [1e6, ANSWER.lost];
    expect(on.told).toEqual([usual, usual, lost, usual, usual, lost, usual]);
    expect(on.counts).toMatchObject({ commands: 8, timeouts: 2, lost: 2 });
    const cut = answers('quarantine');
    const unsent = [0, ANSWER.unsent];
    expect(cut.told).toEqual([usual, usual, lost, unsent, unsent, unsent, unsent]);
    expect(cut.counts).toMatchObject({ commands: 4, timeouts: 1, lost: 1, unsent: 4 });
    expect(cut.counts?.devices).toEqual([
      { rid: 0x18, commands: 3, quarantined: true },
      { rid: 0x20, commands: 1, quarantined: false },
    ]);
    expect([retry.cutOff, on.cutOff, cut.cutOff]).toEqual([false, false, true]);
  });

  test('a name that is none', () => {
    expect(() => findAtcPolicy('ignore')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('a comparison with a device that fails', () => {
  const BUFFERS = 30;

  async function compare(policy: string, every: number): Promise<DesignResult> {
    const sketch = new SketchedTrace().tag(4).attach(0x18).tag(4, 0x18);
    for (let i = 0; i < BUFFERS; i++) {
      const page = 0x1000 + i;
      sketch.after(1e6).map(4, page, 1).after(100).dma(0x18, page, 4).after(5000).unmap(4, page, 1);
      // the device uses what it still holds
      sketch.after(100_000).dma(0x18, page, 4);
    }
    const { trace } = sketch;
    const result = await compareTrace(trace, {
      designs: ['linux-strict'],
      hardware: hardwareProfile('vtd-64x4', trace.header),
      profile: costProfile('generic-server', trace.header),
      atcPolicy: policy,
      parameters: new Map([
        ['atc.timeout-every', every],
        ['atc.timeout', 1],
      ]),
    });
    return result?.designs[0] as DesignResult;
  }

  test('amplification, time and blocked DMA are counted', async () => {
    const well = await compare('retry', 0);
    expect(well.commandsByType).toEqual({ iotlb: BUFFERS, devtlb: BUFFERS });
    expect(well.atc).toMatchObject({ commands: BUFFERS, perUnmap: 1, timeouts: 0, blockedAccesses: 0 });
    const retry = await compare('retry', 10);
    expect(retry.atc).toMatchObject({ commands: BUFFERS, timeouts: 3, timeoutNs: 3e6, lost: 0 });
    expect(retry.cpuNs).toBeGreaterThan(well.cpuNs + 2.9e6);
    const cut = await compare('quarantine', 10);
    expect(cut.atc).toMatchObject({ commands: 10, timeouts: 1, unsent: BUFFERS - 10 });
    // the access after the tenth unmap and the two of each later buffer
    expect(cut.atc?.blockedAccesses).toBe(1 + 2 * (BUFFERS - 10));
    expect(cut.commands).toBe(BUFFERS + 10);
  });
});
