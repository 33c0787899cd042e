import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { callsInit } from './calls-init.ts';

const INIT = callsInit({ limitSeconds: 300, modules: ['vfio_pci'] }, ['guest']);

test('the script of a guest whose calls are recorded is one that a shell reads', () => {
  const { status, stderr } = spawnSync('sh', ['-n'], { input: INIT, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});

test('VFIO has the device before the recording begins', () => {
  const places = ['insmod /modules/vfio_pci.ko', 'driver_override', 'record -o', 'of="$RESULT"'].map((text) =>
    INIT.indexOf(text),
  );
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});
