import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { HarvestMeasurement } from '../replay/harvest/harvest-measurement.ts';
import { parseProfile } from '../replay/profile-file.ts';
import type { FileParameter } from '../replay/profile-file.ts';
import { runCommand } from '../traces/testing/recorded-io.ts';
import { calibrateCommand } from './calibrate-command.ts';
import { compareCommand } from './compare-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-calibrate-'));
afterAll(() => rmSync(folder, { recursive: true }));
const trace = join(import.meta.dirname, '../traces/corpus/vtd-pri-pasid-7.2.iorr');
const DEFAULTS = { seed: '1', profile: 'auto' };

describe('iorr calibrate TRACE', () => {
  test('writes a profile that compare takes, and results name what they rest on', async () => {
    const output = join(folder, 'profile.json');
    const { code, out } = await runCommand(calibrateCommand, [trace], { ...DEFAULTS, output });
    expect(code).toBe(0);
    expect(out).toContain('Costs that the trace tells');
    expect(out).toMatch(/queue\.wait/);
    const { costs } = parseProfile(readFileSync(output, 'utf8'), output);
    const wait = costs?.parameters.find(({ name }) => name === 'queue.wait');
    expect(wait?.standing).toBe('measured');
    const options = {
      designs: 'linux-strict',
      paths: 'native',
      hardware: 'auto',
      seed: '1',
      jobs: '1',
      driver: 'as-recorded',
      atc: undefined,
    };
    const compared = await runCommand(compareCommand, [trace], { ...options, profile: output, json: true });
    expect(compared.code).toBe(0);
    const { result } = JSON.parse(compared.out) as {
      result: { profile: string; parameters: { name: string; value: number }[] };
    };
    expect(result.profile).toBe('vtd-pri-pasid-7.2');
    expect(result.parameters.find(({ name }) => name === 'queue.wait')?.value).toBe(wait?.value);
  });

  test('as JSON, the same bytes again', async () => {
    const once = await runCommand(calibrateCommand, [trace], { ...DEFAULTS, json: true });
    const again = await runCommand(calibrateCommand, [trace], { ...DEFAULTS, json: true });
    expect(again.out).toBe(once.out);
    const { command, result } = JSON.parse(once.out) as {
      command: string;
      result: { samples: { pageRequests: number } };
    };
    expect(command).toBe('calibrate');
    expect(result.samples.pageRequests).toBe(735);
  });

  test('what it can’t do is said before the work, and leaves no file', async () => {
    const none = join(import.meta.dirname, '../traces/corpus/smmuv3-strict-6.12-ftrace.iorr');
    const output = join(folder, 'none.json');
    await expect(runCommand(calibrateCommand, [none], { ...DEFAULTS, output })).rejects.toThrow(/has a duration/);
    expect(existsSync(output)).toBe(false);
    await expect(runCommand(calibrateCommand, [], DEFAULTS)).rejects.toThrow(/--reach CURVE or --harvest expected/);
    await expect(runCommand(calibrateCommand, [trace], { ...DEFAULTS, reach: 'x' })).rejects.toThrow(/takes no trace/);
    await expect(runCommand(calibrateCommand, [trace], { ...DEFAULTS, seed: '-1' })).rejects.toThrow(/--seed/);
  });
});

describe('iorr calibrate --reach', () => {
  test('refuses what is no curve, and hardware without sets', async () => {
    const curve = join(folder, 'curve.json');
    writeFileSync(curve, '[{"window": 4096}]');
    const few = runCommand(calibrateCommand, [], { ...DEFAULTS, reach: curve });
    await expect(few).rejects.toMatchObject({ message: expect.stringMatching(/four windows/), place: { file: curve } });
    const options = { ...DEFAULTS, reach: curve, hardware: 'qemu-vtd' };
    await expect(runCommand(calibrateCommand, [], options)).rejects.toThrow(/IOTLB of sets/);
    await expect(runCommand(calibrateCommand, [], { ...DEFAULTS, reach: folder })).rejects.toThrow(/it is a directory/);
  });

  test('an interrupted fit leaves no file', async () => {
    const curve = join(folder, 'whole.json');
    const output = join(folder, 'unit.json');
    const points = [16, 64, 256, 1024].map((pages, i) => ({ window: pages * 4096, averageNs: 400 + 90 * i }));
    writeFileSync(curve, JSON.stringify(points));
    const options = { ...DEFAULTS, reach: curve, output };
    const { code, out } = await runCommand(calibrateCommand, [], options, AbortSignal.abort());
    expect([code, out, existsSync(output)]).toEqual([130, '', false]);
  });
});

describe('iorr calibrate --harvest', () => {
  test('measures real tables and writes a profile that compare takes', async () => {
    const output = join(folder, 'harvest.json');
    const options = { ...DEFAULTS, harvest: true, memory: '1', output };
    const { code, out } = await runCommand(calibrateCommand, [], { ...options, json: true });
    expect(code).toBe(0);
    const { result } = JSON.parse(out) as { result: HarvestMeasurement };
    expect([result.guestBytes, result.tableBytes, result.entries]).toEqual([2 ** 30, 2 ** 21, 2 ** 18]);
    expect(result.cold[0]?.threads).toBe(1);
    expect(result.dirty.map(({ leaves }) => leaves)).toEqual([0, 262, 2621, 26214, 262144]);
    for (const { rate } of [...result.cold, ...result.dirty]) expect(rate.value).toBeGreaterThan(1e6);
    const text = readFileSync(output, 'utf8');
    expect(parseProfile(text, output).costs?.name).toBe('harvest');
    const { dirty } = parseProfile(text, output).costs ?? {};
    expect(dirty?.map(({ name }) => name)).toEqual(['dirty.entry', 'dirty.table', 'dirty.clear', 'dirty.bandwidth']);
    const entry = dirty?.find(({ name }) => name === 'dirty.entry');
    expect(entry?.standing).toBe('measured');
    expect(entry?.value).toBeCloseTo(8e9 / (result.cold[0]?.rate.value ?? 0), 9);
    const migration = join(import.meta.dirname, '../traces/corpus/migration-dirty.iorr');
    const compared = await runCommand(compareCommand, [migration], {
      dirty: 'ad-bits@4k',
      set: ['dirty.clear=7'],
      profile: output,
      json: true,
    });
    const { parameters } = (JSON.parse(compared.out) as { result: { dirty: { parameters: FileParameter[] } } }).result
      .dirty;
    const used = (name: string): FileParameter[] => parameters.filter((parameter) => parameter.name === name);
    expect(used('dirty.entry')).toMatchObject([{ value: entry?.value, standing: 'measured' }]);
    expect(used('dirty.clear')).toMatchObject([{ value: 7, source: 'set by the user' }]);
  });

  test('takes nothing else, and says what of 1 TiB costs what', async () => {
    const { out } = await runCommand(calibrateCommand, [], { ...DEFAULTS, harvest: true, memory: '1' });
    expect(out).toMatch(/clean and cold, 1 thread /);
    expect(out).toMatch(/1 TiB in 4 KiB leaves, ms/);
    await expect(runCommand(calibrateCommand, [trace], { ...DEFAULTS, harvest: true })).rejects.toThrow(/no trace/);
    await expect(runCommand(calibrateCommand, [trace], { ...DEFAULTS, memory: '1' })).rejects.toThrow(/--harvest/);
    for (const memory of ['0', '257', '1G', '']) {
      const run = runCommand(calibrateCommand, [], { ...DEFAULTS, harvest: true, memory });
      await expect(run).rejects.toThrow(/GiB from 1 to 256/);
    }
  });

  test('interrupted, it leaves no file', async () => {
    const output = join(folder, 'interrupted.json');
    const options = { ...DEFAULTS, harvest: true, memory: '1', output };
    const { code } = await runCommand(calibrateCommand, [], options, AbortSignal.abort());
    expect(code).toBe(130);
    expect(existsSync(output)).toBe(false);
  });
});
