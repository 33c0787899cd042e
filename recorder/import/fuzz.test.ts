import { expect, test } from 'vitest';
import { runFuzz } from '../../bench/robustness/fuzz-run.ts';

const full = process.env['IORR_FULL'] === '1';
const LOGS = full ? 20_000 : 1500;
const MIB = 1024 * 1024;

test(`${LOGS} damaged logs: no crash, no hang, every line accounted for`, { timeout: 1_800_000 }, async () => {
  const job = { kind: 'log', seed: 42, from: 0, to: LOGS } as const;
  const report = await runFuzz(job, { hangMs: 20_000, batch: full ? 5000 : 750 });
  expect(report.findings).toEqual([]);
  expect(report.files).toBe(LOGS);
  expect(report.peakMemory / MIB).toBeLessThan(512);
  expect(report.largestAllocation / MIB).toBeLessThan(128);
  expect(report.largestTotal / MIB).toBeLessThan(512);
  expect(report.slowestMs).toBeLessThan(5000);
  expect(report.opened).toBeGreaterThan(LOGS / 2);
  expect(report.events).toBeGreaterThan(LOGS * 50);
});
