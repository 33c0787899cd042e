import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCommand } from '../traces/testing/recorded-io.ts';
import { catCommand } from './cat-command.ts';

const CORPUS = join(import.meta.dirname, '../traces/corpus');

describe('cat --derived', () => {
  test('prints what ioctls did in their place, with the kind of domain of an attachment', async () => {
    const calls = join(CORPUS, 'vtd-vfio-7.2-ioctl.iorr');
    const { out, code } = await runCommand(catCommand, [calls], { derived: true, limit: '2' });
    expect(code).toBe(0);
    const [attach, map] = out.split('\n');
    expect(attach).toMatch(/attach +kind attach, device 2000:00:00\.0, domain 1, type paging/);
    expect(map).toMatch(/map +iommufd, did 1, 0x100000000\+0x4000000/);
  });

  test('says so where the trace holds all that there is', async () => {
    const run = runCommand(catCommand, [join(CORPUS, 'nested-qemu-vfio-7.2.iorr')], { derived: true });
    await expect(run).rejects.toThrow('that it does not hold itself');
  });
});
