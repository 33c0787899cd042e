import { describe, expect, test } from 'vitest';
import { genericServer } from '../costs/generic-server.ts';
import { vtdServer } from '../hardware/vtd-server.ts';
import { compareTrace } from './compare.ts';
import { compareSensitivity } from './sensitivity.ts';
import { SketchedTrace } from './testing/sketched-trace.ts';

/** Single pages that come and go. */
function trace(): SketchedTrace['trace'] {
  const sketch = new SketchedTrace().tag(4).attach(0x18, 4);
  for (let i = 0; i < 40; i++)
    sketch
      .after(20_000)
      .map(4, 0x100 + i)
      .after(20_000)
      .unmap(4, 0x100 + i);
  return sketch.trace;
}

const OPTIONS = {
  designs: ['linux-strict', 'linux-lazy'],
  paths: ['native', 'ioctl-n'],
  hardware: vtdServer,
  profile: genericServer,
};

describe('what assumed times make of a comparison', () => {
  test('each is tried at a quarter and at four times; what moves nothing is named', async () => {
    const result = await compareTrace(trace(), OPTIONS);
    expect(result?.caveats.join()).toContain('--sensitivity');
    if (result === undefined) return;
    const sensitivity = await compareSensitivity(trace(), OPTIONS, result);
    expect(sensitivity?.factor).toBe(4);
    const by = new Map(sensitivity?.parameters.map((parameter) => [parameter.name, parameter]));
    const strict = by.get('queue.fetch')?.rows.find(({ name, path }) => name === 'linux-strict' && path === 'native');
    const base = result.designs.find(({ name, path }) => name === 'linux-strict' && path === 'native')?.cpuNs ?? 0;
    // 1200 ns more, or 300 less, for each of 40 submissions; looks at the completion come every 100 ns
    expect((strict?.most ?? 0) * base - base).toBeGreaterThan(40 * 1000);
    expect((strict?.most ?? 0) * base - base).toBeLessThan(40 * 1400);
    expect(strict?.least).toBeLessThan(1);
    expect(by.get('path.to-user')?.rows.find(({ path }) => path === 'native')).toMatchObject({ least: 1, most: 1 });
    expect(by.get('path.to-user')?.rows.find(({ path }) => path === 'ioctl-n')?.most).toBeGreaterThan(1.5);
    expect(sensitivity?.without).toContain('queue.device-tlb');
    for (const { rows } of sensitivity?.parameters ?? []) expect(rows).toHaveLength(4);
  });

  test('an abort gives none', async () => {
    const result = await compareTrace(trace(), OPTIONS);
    if (result === undefined) throw new Error('aborted');
    const signal = AbortSignal.abort();
    expect(await compareSensitivity(trace(), { ...OPTIONS, signal }, result)).toBeUndefined();
  });
});
