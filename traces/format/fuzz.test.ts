import { expect, test } from 'vitest';
import { runFuzz } from '../../bench/robustness/fuzz-run.ts';

const full = process.env['IORR_FULL'] === '1';
const FILES = full ? 100_000 : 3000;
const MIB = 1024 * 1024;

test(`${FILES} damaged traces: no crash, no hang, no allocation over 512 MiB`, { timeout: 1_800_000 }, async () => {
  const job = { kind: 'trace', seed: 20_261_122, from: 0, to: FILES } as const;
  const report = await runFuzz(job, { hangMs: 20_000, batch: full ? 5000 : 1500 });
  expect(report.findings).toEqual([]);
  expect(report.files).toBe(FILES);
  // The whole process with all its garbage stays below the limit, so every allocation did.
  expect(report.peakMemory / MIB).toBeLessThan(512);
  expect(report.largestAllocation / MIB).toBeLessThan(128);
  expect(report.largestTotal / MIB).toBeLessThan(512);
  expect(report.slowestMs).toBeLessThan(5000);
  // Damage of all depths: some files are refused, most open and give events.
  expect(report.opened).toBeGreaterThan(FILES / 2);
  expect(report.refused['TRACE_DAMAGED']).toBeGreaterThan(0);
  expect(report.events).toBeGreaterThan(FILES * 100);
});
