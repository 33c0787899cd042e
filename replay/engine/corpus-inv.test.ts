import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { costProfile } from '../costs/cost-profiles.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import { compareTrace } from './compare.ts';
import { verifyInv } from './verify-inv.ts';

const FOLDER = fileURLToPath(new URL('../../traces/corpus/', import.meta.url));
const TRACES = readdirSync(FOLDER).filter((name) => name.endsWith('.iorr'));

describe('real traces', () => {
  test.each(TRACES)('%s: every recorded command that an unmap implies is regenerated', (name) => {
    const trace = openTrace(`${FOLDER}${name}`);
    try {
      const outcome = verifyInv(trace);
      const { inv, unmap } = trace.streamCounts;
      // a log of the hardware's side alone has nothing to regenerate from, SMMUv3 nothing in this dialect
      if (unmap === 0 || inv === 0) expect(outcome).toBeUndefined();
      else {
        expect(outcome?.divergences).toEqual([]);
        const flushes = outcome?.parts['inv.flush'];
        expect(flushes?.checked).toBeGreaterThan(60);
        expect(flushes?.agreed).toBe(flushes?.checked);
      }
    } finally {
      trace.close();
    }
  });

  test('strict, predicted on a strict recording, leaves the caches as they were recorded', async () => {
    const trace = openTrace(`${FOLDER}vtd-pri-pasid-7.2.iorr`);
    try {
      const result = await compareTrace(trace, {
        designs: ['linux-strict'],
        hardware: hardwareProfile('auto', trace.header),
        profile: costProfile('auto', trace.header),
      });
      expect(result?.recorded?.iotlb?.lookups).toBeGreaterThan(800);
      expect(result?.designs[0]?.iotlb).toEqual(result?.recorded?.iotlb);
      expect(result?.designs[0]?.exposure?.pages).toBe(result?.recorded?.exposure?.pages);
    } finally {
      trace.close();
    }
  });
});
