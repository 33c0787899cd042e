import { expect, test } from 'vitest';
import { fuzzSome, sumOf } from '../../bench/robustness/fuzz-some.ts';

const full = process.env['IORR_FULL'] === '1';
const TRACES = full ? 5000 : 100;
const MIB = 1024 * 1024;

/** Maps of any size at any address, commands of any kind, times in any order. */
test(`${TRACES} damaged traces replayed, verified or compared: no crash, no hang`, { timeout: 1_800_000 }, async () => {
  const report = await fuzzSome({ seed: 77, count: TRACES, only: ['replay'] });
  expect(report.findings).toEqual([]);
  const { files, opened, largestAllocation } = sumOf(report);
  expect(files).toBe(TRACES);
  expect(largestAllocation / MIB).toBeLessThan(512);
  expect(opened).toBeGreaterThan(TRACES / 5);
});
