import { describe, expect, test } from 'vitest';
import { WORKLOADS } from '../recorder/simulate/workloads.ts';
import { genericServer } from '../replay/costs/generic-server.ts';
import { compareTrace } from '../replay/engine/compare.ts';
import { verifyTrace } from '../replay/engine/verify.ts';
import { intelCascadeLake } from '../replay/hardware/intel-cascade-lake.ts';
import { simulatedTrace } from './simulated-trace.ts';

const DESIGNS = ['linux-strict', 'linux-lazy', 'contiguous-iova'];

/** Those two invalidate at random, not as a design would. */
const driven = WORKLOADS.map(({ name }) => name).filter((name) => name !== 'dma' && name !== 'zipf');

describe.each(driven)('%s', (name) => {
  const trace = simulatedTrace(name, ['events=40k']);

  test('its commands are those of the design that it says, and its accesses follow its maps', () => {
    const { checked, diverged } = verifyTrace(trace);
    expect(checked).toBeGreaterThan(5000);
    expect(diverged).toBe(0);
  });

  test('designs are compared on it', async () => {
    const result = await compareTrace(trace, { designs: DESIGNS, hardware: intelCascadeLake, profile: genericServer });
    expect(result?.designs.map((design) => design.name)).toEqual(DESIGNS);
    const [strict, lazy] = result?.designs ?? [];
    if (strict === undefined || lazy === undefined) throw new Error('a design is missing');
    expect(strict.iotlb?.lookups).toBeGreaterThan(5000);
    expect(strict.stale?.translations ?? 0).toBe(0);
    expect(strict.commands).toBeGreaterThanOrEqual(lazy.commands);
    expect(result?.caveats.filter((caveat) => /no mapping|could not be attributed/.test(caveat))).toEqual([]);
  });
});
