import { expect, test } from 'vitest';
import { runFuzz } from '../../bench/robustness/fuzz-run.ts';

const full = process.env['IORR_FULL'] === '1';
const TRACES = full ? 5000 : 100;
const MIB = 1024 * 1024;

/** Maps of any size at any address, commands of any kind, times in any order. */
test(`${TRACES} damaged traces replayed, verified or compared: no crash, no hang`, { timeout: 1_800_000 }, async () => {
  const job = { kind: 'replay', seed: 77, from: 0, to: TRACES } as const;
  const report = await runFuzz(job, { hangMs: 60_000, batch: full ? 500 : 50 });
  expect(report.findings).toEqual([]);
  expect(report.files).toBe(TRACES);
  expect(report.largestAllocation / MIB).toBeLessThan(512);
  expect(report.opened).toBeGreaterThan(TRACES / 5);
});
