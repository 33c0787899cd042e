import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
/** Built by `npm test`. */
const CLI = join(ROOT, 'dist/cli.js');
const TRACE = join(ROOT, 'traces/corpus/vtd-vfio-7.2.iorr');
const scratch = mkdtempSync(join(tmpdir(), 'iorr-iotlb-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC', NO_COLOR: '1' };
  return spawnSync(process.execPath, [CLI, 'analyze', ...args], { encoding: 'utf8', env, maxBuffer: 1 << 28 });
}

describe('iorr analyze iotlb', () => {
  test('gives the names of docs/json.md, a page, and a gate', () => {
    const page = join(scratch, 'iotlb.html');
    const args = ['iotlb', TRACE, '--hardware', 'vtd-64x4', '--json', '--html', page, '--fail-on', 'knee>1'];
    const { status, stdout, stderr } = run(...args);
    expect(status).toBe(3);
    expect(stderr).toContain('gate breached: knee>1');
    const document = readFileSync(join(ROOT, 'docs/json.md'), 'utf8');
    const section = document.slice(document.indexOf('## analyze iotlb')).split(/^## (?!analyze iotlb)/m)[0] ?? '';
    const cells = [...section.matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \|/gm)].map(([, cell = '']) => cell);
    const names = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name = '']) => name));
    const { result } = JSON.parse(stdout) as { result: object };
    expect(Object.keys(result).sort()).toEqual(names.sort());
    expect(existsSync(page)).toBe(true);
  });

  test.each([
    [['safety', TRACE, '--sample', '0.1'], /--sample is for iotlb/],
    [['iotlb', TRACE, '--sample', '2'], /a share above 0/],
    [['iotlb', TRACE, '--at', '1s'], /takes no --at/],
    [
      ['iotlb', TRACE, '--sample', '0.5', '--hardware', 'vtd-64x4', '--set', 'device-tlb.entries=4'],
      /cannot be sampled/,
    ],
  ] as const)('%j is refused', (args, message) => {
    const { status, stderr } = run(...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });

  test('a trace without accesses is told how to get them', () => {
    const { status, stderr } = run('iotlb', join(ROOT, 'traces/corpus/iommufd-selftest.iorr'));
    expect(status).toBe(1);
    expect(stderr).toContain('the trace has no accesses');
  });
});
