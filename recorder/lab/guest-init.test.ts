import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { guestInit } from './guest-init.ts';

const INIT = guestInit({ seconds: 70, limitSeconds: 300, modules: ['virtio_blk', 'nvme_core', 'nvme'] });

test('the script of the guest is one that a shell reads', () => {
  const { status, stderr } = spawnSync('sh', ['-n'], { input: INIT, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});

test('the recorder runs before the first driver is loaded, and ends before the results are saved', () => {
  const order = [
    'record -o',
    'insmod /modules/virtio_blk.ko',
    'insmod /modules/nvme_core.ko',
    'insmod /modules/nvme.ko',
  ];
  const places = [...order, 'phase block-4k 10', 'phase net-to-virtio 10', 'kill -TERM $RECORDER', 'of="$RESULT"'].map(
    (text) => INIT.indexOf(text),
  );
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});
