import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fuzzSome } from '../../bench/robustness/fuzz-some.ts';
import { IMPORTERS } from './importers.ts';

const full = process.env['IORR_FULL'] === '1';
const INPUTS = full ? 200_000 : 2400;
const MIB = 1024 * 1024;

/** Captures to damage as well, if they are there and the full run is asked for. */
const folder = join(import.meta.dirname, '../../../shared/captures');
const captures = full && existsSync(folder) ? folder : undefined;

test(`${INPUTS} damaged inputs of all importers, compressed ones and pairs: no crash, no hang, every line accounted for`, {
  timeout: 1_800_000,
}, async () => {
  const importers = IMPORTERS.map(({ name }) => `import-${name}`);
  const only = [...importers, 'log', 'input', 'compressed', 'join'];
  const report = await fuzzSome({ seed: 42, count: INPUTS, only, captures });
  expect(report.findings).toEqual([]);
  expect(report.files).toBe(INPUTS);
  expect(report.tallies.map(({ target }) => target).sort()).toEqual(only.sort());
  for (const { target, files, opened, events, refused, largestAllocation } of report.tallies) {
    expect(largestAllocation / MIB).toBeLessThan(160);
    if (target === 'join') continue;
    // Damage is noticed where there are checksums; elsewhere most lines stay what they were.
    if (target === 'compressed') expect(refused['damaged']).toBeGreaterThan(files / 2);
    else expect([target, opened > files / 4]).toEqual([target, true]);
    expect(events).toBeGreaterThan(files);
  }
});
