import { expect, test } from 'vitest';
import { fuzzSome } from '../../bench/robustness/fuzz-some.ts';

const full = process.env['IORR_FULL'] === '1';
const FILES = full ? 300_000 : 4000;
const MIB = 1024 * 1024;

test(`${FILES} damaged traces and columns: no crash, no hang, no allocation over 512 MiB`, {
  timeout: 1_800_000,
}, async () => {
  const report = await fuzzSome({ seed: 20_261_122, count: FILES, only: ['trace', 'columns'] });
  expect(report.findings).toEqual([]);
  const [columns, traces] = report.tallies.toSorted((a, b) => (a.target < b.target ? -1 : 1));
  expect(traces?.files).toBe(FILES / 2);
  expect((traces?.largestAllocation ?? 0) / MIB).toBeLessThan(128);
  expect((traces?.largestTotal ?? 0) / MIB).toBeLessThan(512);
  // Damage of all depths: some files are refused, most open and give events.
  expect(traces?.opened).toBeGreaterThan(FILES / 4);
  expect(traces?.refused['TRACE_DAMAGED']).toBeGreaterThan(0);
  expect(traces?.events).toBeGreaterThan(FILES * 25);
  // Columns of every codec and prediction: damage shows, or gives other values.
  expect(columns?.files).toBe(FILES / 2);
  expect(columns?.opened).toBeGreaterThan(FILES / 20);
  expect(columns?.refused['damaged']).toBeGreaterThan(FILES / 20);
});
