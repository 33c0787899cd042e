import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Parameter } from '../recorder/simulate/parameter.ts';
import { WORKLOADS } from '../recorder/simulate/workloads.ts';
import { genericServer } from '../replay/costs/generic-server.ts';
import { compareTrace } from '../replay/engine/compare.ts';
import { verifyTrace } from '../replay/engine/verify.ts';
import { intelCascadeLake } from '../replay/hardware/intel-cascade-lake.ts';
import { IorrError } from '../traces/errors.ts';
import { simulatedTrace } from './simulated-trace.ts';

const DESIGNS = ['linux-strict', 'linux-lazy', 'contiguous-iova'];

/** Any value that makes no more than a few thousand events before the first operation. */
function valueOf(parameter: Parameter): fc.Arbitrary<string> {
  const { name } = parameter;
  if (parameter.kind === 'choice') return fc.constantFrom(...parameter.choices).map((choice) => `${name}=${choice}`);
  if (name === 'memory') return fc.integer({ min: 64, max: 4096 }).map((value) => `${name}=${value}`);
  if (name === 'hot') return fc.integer({ min: 1, max: 64 }).map((value) => `${name}=${value}`);
  const most = Math.min(parameter.max, Math.max(parameter.min, 4 * parameter.default));
  const value = parameter.fraction === true ? fc.double({ min: parameter.min, max: most, noNaN: true }) : undefined;
  return (value?.map((x) => x.toFixed(3)) ?? fc.integer({ min: parameter.min, max: most })).map((x) => `${name}=${x}`);
}

/** Those two invalidate at random, not as a design would. */
const driven = WORKLOADS.map(({ name }) => name).filter((name) => name !== 'dma' && name !== 'zipf');

describe.each(driven)('%s', (name) => {
  const trace = simulatedTrace(name, ['events=40k']);

  test('its commands are those of the design that it says, and its accesses follow its maps', () => {
    const { checked, diverged } = verifyTrace(trace);
    expect(checked).toBeGreaterThan(5000);
    expect(diverged).toBe(0);
  });

  test('nothing diverges whatever its values are', () => {
    const parameters = WORKLOADS.find((workload) => workload.name === name)?.parameters ?? [];
    const settings = fc.tuple(...parameters.filter((one) => one.name !== 'events').map(valueOf));
    let verified = 0;
    fc.assert(
      fc.property(settings, fc.nat(1000), (values, seed) => {
        try {
          expect(verifyTrace(simulatedTrace(name, ['events=6k', ...values], seed)).divergences).toEqual([]);
          verified++;
        } catch (error) {
          // values that don't go together, or large rings that are still being filled
          if (!(error instanceof IorrError) || !['USAGE', 'NOTHING_TO_VERIFY'].includes(error.code)) throw error;
        }
      }),
      { numRuns: 10, seed: 1 },
    );
    // not all settings go together, and large rings take what there is
    expect(verified).toBeGreaterThan(0);
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
