import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runFuzz } from '../../bench/robustness/fuzz-run.ts';
import { decompress } from './decompress.ts';

const full = process.env['IORR_FULL'] === '1';
const LOGS = full ? 20_000 : 1500;
const COMPRESSED = full ? 20_000 : 600;
const MIB = 1024 * 1024;

const captures = join(import.meta.dirname, '../../../shared/captures');
const CAPTURED_LINES = 3000;

/** The first lines of all captured logs, if they are there and the full run is asked for. */
async function capturedLogs(): Promise<string[][]> {
  if (!full || !existsSync(captures)) return [];
  const logs: string[][] = [];
  for (const run of readdirSync(captures)) {
    for (const name of ['trace.txt.zst', 'qemu_trace.log.zst']) {
      const file = join(captures, run, name);
      if (!existsSync(file)) continue;
      let text = '';
      for await (const chunk of decompress(createReadStream(file), () => {})) {
        text += Buffer.from(chunk).toString('latin1');
        if (text.length > 1 << 20) break;
      }
      logs.push(text.split('\n').slice(0, CAPTURED_LINES));
    }
  }
  return logs;
}

test(`${LOGS} damaged logs: no crash, no hang, every line accounted for`, { timeout: 1_800_000 }, async () => {
  const job = { kind: 'log', seed: 42, from: 0, to: LOGS, logs: await capturedLogs() } as const;
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

test(`${COMPRESSED} damaged compressed inputs: no crash, no hang, bounded pieces`, { timeout: 1_800_000 }, async () => {
  const folder = join(import.meta.dirname, 'fixtures');
  const job = { kind: 'compressed', seed: 9, from: 0, to: COMPRESSED, folder } as const;
  const report = await runFuzz(job, { hangMs: 20_000, batch: full ? 5000 : 300 });
  expect(report.findings).toEqual([]);
  expect(report.files).toBe(COMPRESSED);
  expect(report.peakMemory / MIB).toBeLessThan(512);
  expect(report.largestAllocation / MIB).toBeLessThan(160);
  expect(report.slowestMs).toBeLessThan(10_000);
  // Damage is noticed, but not always: only some files have checksums.
  expect(report.refused['damaged']).toBeGreaterThan(COMPRESSED / 2);
  expect(report.events).toBeGreaterThan(COMPRESSED * 1000);
});
