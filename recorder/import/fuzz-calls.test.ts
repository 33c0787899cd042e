import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runFuzz } from '../../bench/robustness/fuzz-run.ts';

const LOGS = process.env['IORR_FULL'] === '1' ? 20_000 : 900;
const FIXTURES = [
  'calls-iommufd-selftest.jsonl',
  'calls-iommufd-random.jsonl',
  'ioctl-vfio-cdev.hex',
  'ioctl-page-requests.hex',
  'strace-6-threads.txt',
  'strace-7-faults.txt',
  'qemu-vmm-iommufd.log',
  'qemu-vmm-legacy.log',
];

test(`${LOGS} damaged logs of system calls: no crash, no hang, every line accounted for`, {
  timeout: 1_800_000,
}, async () => {
  const logs = FIXTURES.map((name) =>
    readFileSync(fileURLToPath(new URL(`fixtures/${name}`, import.meta.url)), 'latin1').split('\n'),
  );
  const job = { kind: 'log', seed: 7, from: 0, to: LOGS, logs } as const;
  const report = await runFuzz(job, { hangMs: 20_000, batch: LOGS });
  expect(report.findings).toEqual([]);
  expect(report.files).toBe(LOGS);
  expect(report.opened).toBeGreaterThan(LOGS / 2);
  expect(report.slowestMs).toBeLessThan(5000);
});
