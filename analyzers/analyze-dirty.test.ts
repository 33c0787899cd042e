import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ANALYSES } from './analyses.ts';
import { analyzeCommand } from './analyze-command.ts';
import type { DirtyResult } from './dirty/dirty.ts';
import { runCommand } from '../traces/testing/recorded-io.ts';
import type { CommandRun } from '../traces/testing/recorded-io.ts';

const CORPUS = join(import.meta.dirname, '../traces/corpus');

function analyze(file: string, options: { readonly [key: string]: unknown } = {}): Promise<CommandRun> {
  return runCommand(analyzeCommand, ['dirty', file], options);
}

describe('iorr analyze dirty', () => {
  test('a gate on lost dirty state: 3 where the kernel lost some, 0 where nothing was lost', async () => {
    const lossy = await analyze(join(CORPUS, 'iommufd-random.iorr'), { failOn: 'lost' });
    expect(lossy.code).toBe(3);
    expect(lossy.err).toBe('iorr: gate breached: lost: lost.bytes is 114688\n');
    expect(lossy.out).toMatch(/event 418 +1 +of 2\.00\sKiB +0x1900800/);
    const whole = await analyze(join(CORPUS, 'migration-dirty.iorr'), { failOn: 'lost,defect' });
    expect(whole.code).toBe(0);
  });

  test('the document has the names that scripts rely on', async () => {
    const { out } = await analyze(join(CORPUS, 'migration-dirty.iorr'), { json: true });
    const { command, result } = JSON.parse(out) as { command: string; result: Record<string, unknown> };
    expect(command).toBe('analyze dirty');
    expect(result).toMatchObject({
      source: 'ram',
      writes: { rate: { pages: expect.any(Array) }, workingSet: expect.any(Array), hotSets: expect.any(Array) },
      harvested: { count: 22, overReporting: expect.any(Array) },
      migration: { syncs: expect.any(Array), agreed: 19, compared: 22, passes: 22 },
      lost: { bytes: 0 },
      findings: [],
    });
  });

  test('--html writes a page', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'iorr-dirty-'));
    try {
      const html = join(folder, 'dirty.html');
      const { code, err } = await analyze(join(CORPUS, 'migration-dirty.iorr'), { html });
      expect({ code, err }).toEqual({ code: 0, err: `wrote ${html}\n` });
      expect(readFileSync(html, 'utf8')).toMatch(/^<!doctype html>/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('help of one analysis has its own gates and examples', () => {
    for (const { name, summary } of ANALYSES) {
      const text = analyzeCommand.about?.([name]) ?? '';
      expect(text).toContain(summary);
      expect(text).toMatch(new RegExp(`^  iorr analyze ${name} `, 'm'));
      const others = ANALYSES.filter((one) => one.name !== name);
      expect(others.filter((one) => text.includes(`iorr analyze ${one.name} `))).toEqual([]);
    }
    expect(analyzeCommand.about?.(['dirty'])).toContain('defect (lost.defectBytes)');
    expect(analyzeCommand.about?.([])).toBeUndefined();
  });

  test('a trace without writes says so', async () => {
    await expect(analyze(join(CORPUS, 'smmuv3-strict-6.12-ftrace.iorr'))).rejects.toThrow('no writes of devices');
  });
});

const CAPTURE = join(import.meta.dirname, '../../shared/captures/migration-dirty');
const CLI = join(import.meta.dirname, '../dist/cli.js');
const whole = process.env['IORR_FULL'] === '1' && existsSync(CAPTURE) && existsSync(CLI);
if (!whole) console.warn('the whole capture of a migration: needs IORR_FULL=1, ../shared and a build');

test.skipIf(!whole)(
  'a migration imported whole: QEMU counted what its log shows, with 3 exceptions',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'iorr-dirty-'));
    try {
      const path = join(folder, 'migration.iorr');
      const sources = ['qemu_trace.log.zst', 'qmp.log'].map((name) => join(CAPTURE, name));
      const { status } = spawnSync(process.execPath, [CLI, 'import', ...sources, '-o', path]);
      expect(status).toBe(0);
      const { out } = await analyze(path, { json: true });
      const { migration, harvested } = (JSON.parse(out) as { readonly result: DirtyResult }).result;
      expect(migration).toMatchObject({ compared: 22, agreed: 19, explained: 3, passes: 22, passesReported: 22 });
      expect(Math.abs((migration?.pages ?? 0) / (migration?.reported ?? 1) - 1)).toBeLessThan(0.01);
      expect(harvested?.count).toBe(22);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  300_000,
);
