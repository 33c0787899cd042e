import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LAB_WORKS } from './lab-works.ts';

test('names differ', () => {
  expect(new Set(LAB_WORKS.map(({ name }) => name)).size).toBe(LAB_WORKS.length);
});

test.each(LAB_WORKS.map((work) => [work.name, work] as const))('%s: what its script runs is there', (_, work) => {
  const programs = work.programs();
  for (const { source } of programs) expect(existsSync(join(import.meta.dirname, 'programs', source))).toBe(true);
  const script = [...work.recordings().values()].join('');
  expect(spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' }).stderr).toBe('');
  const run = [...script.matchAll(/\/programs\/([\w-]+)/g)].map(([, name]) => name);
  expect(new Set(run)).toEqual(new Set(programs.map(({ name }) => name)));
});

test.each(LAB_WORKS.map((work) => [work.name, work] as const))('%s: the result is verified', (_, work) => {
  expect(work.checks.some(([command]) => command === 'verify')).toBe(true);
  const init = work.init(10, 300, ['virtio_blk']);
  expect(init).toContain('insmod /modules/virtio_blk.ko');
  for (const name of work.recordings().keys()) {
    expect(init).toContain(`-o /tmp/${name}.iorr`);
    expect(work.checks.some((command) => command.includes(`${name}.iorr`))).toBe(true);
  }
});
