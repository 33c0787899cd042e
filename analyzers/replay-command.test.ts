import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
/** Built by `npm test`. */
const CLI = join(ROOT, 'dist/cli.js');
const TRACE = join(ROOT, 'traces/corpus/vtd-pri-pasid-7.2.iorr');

function replay(...args: readonly string[]): { readonly told: string; readonly result: unknown } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'replay', TRACE, ...args, '--json'], {
    encoding: 'utf8',
  });
  expect([status, stderr.includes('internal error')]).toEqual([0, false]);
  // how long it took is no part of what is found out
  return { told: stderr, result: JSON.parse(stdout.replaceAll(/"(wallNs|eventsPerSecond)": [\d.e+-]+/g, '"$1": 0')) };
}

describe('iorr replay --jobs', () => {
  test('any number of threads tells the same', () => {
    const alone = replay('--hardware', 'vtd-64x4', '--jobs', '1');
    expect(replay('--hardware', 'vtd-64x4', '--jobs', '3')).toEqual(alone);
    expect(alone.told).toBe('');
  });

  test('says what runs in one thread where more were asked for', () => {
    const { told, result } = replay('--hardware', 'qemu-vtd', '--jobs', '2');
    expect(told).toBe('one thread: the IOTLB of qemu-vtd has no sets\n');
    expect(replay('--hardware', 'qemu-vtd')).toEqual({ told: '', result });
  });
});
