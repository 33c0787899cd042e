import { expect, test } from 'vitest';
import { costProfile } from '../costs/cost-profiles.ts';
import { DESIGNS } from '../designs/designs.ts';
import { HARDWARE } from '../hardware/profiles.ts';
import { compareTrace } from './compare.ts';
import { SketchedTrace } from './testing/sketched-trace.ts';

test.each(HARDWARE.map(({ name }) => name))('unmaps of petabytes take bounded time on %s', async (name) => {
  const sketch = new SketchedTrace().tag(4).attach(0x18, 4);
  for (let i = 0; i < 4; i++)
    sketch
      .map(4, 0x200 * i, 512)
      .map(4, 0x1000 + i)
      .dma(0x18, 0x1000 + i, 4)
      .after(1000);
  sketch
    .unmap(4, 0x1000, 2 ** 40)
    .after(1000)
    .unmap(4, 0, 2 ** 44)
    .after(1000)
    .map(4, 0x5000, 2 ** 40)
    .after(1000);
  sketch
    .unmap(4, 0x5000, 2 ** 40)
    .after(5e9)
    .map(4, 1);
  const { trace } = sketch;
  const hardware = HARDWARE.find((one) => one.name === name);
  if (hardware === undefined) throw new Error(name);
  const start = performance.now();
  const result = await compareTrace(trace, {
    designs: DESIGNS.map((design) => design.name),
    hardware,
    profile: costProfile('generic-server', trace.header),
    parameters: new Map([['kernel', 702]]),
  });
  expect(result?.designs.map(({ unmaps }) => unmaps)).toEqual(DESIGNS.map(() => 3));
  expect(performance.now() - start).toBeLessThan(30_000);
});
