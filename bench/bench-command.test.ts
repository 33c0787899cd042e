import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { DiffResult } from '../analyzers/diff/diff-result.ts';
import type { CommandIo } from '../traces/command.ts';
import { joinTurns } from './against.ts';
import { benchCommand } from './bench-command.ts';
import type { BenchResult } from './bench-command.ts';
import { measure, quantile } from './measure.ts';
import { SUITES } from './suites.ts';

async function run(
  options: Record<string, unknown>,
  interrupt?: AbortController,
): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const io: CommandIo = {
    out: (text) => {
      out += String(text);
    },
    err: (text) => {
      err += text;
    },
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    columns: 80,
    colour: false,
    signal: (interrupt ?? new AbortController()).signal,
    progress: () => ({ update: () => interrupt?.abort(), stop: () => {} }),
  };
  const code = await benchCommand.run({ args: [], options, io });
  return { code, out, err };
}

describe('iorr bench', () => {
  test('--json has a rate, its range and its noise for every case of the suites', async () => {
    const { code, out } = await run({ suite: 'decode', time: '12', json: true });
    expect(code).toBe(0);
    const document = JSON.parse(out) as { readonly command: string; readonly result: BenchResult };
    expect(document.command).toBe('bench');
    const { figures, noise, machine } = document.result;
    expect(figures.map((figure) => figure.suite)).toEqual(['decode', 'decode', 'decode', 'decode', 'decode']);
    expect(new Set(figures.map((figure) => figure.name)).size).toBe(5);
    for (const figure of figures) {
      expect(figure.unit).toBe('events/s');
      expect(figure.min).toBeGreaterThan(1000);
      expect(figure.median).toBeGreaterThanOrEqual(figure.min);
      expect(figure.max).toBeGreaterThanOrEqual(figure.median);
      expect(figure.runs).toBeGreaterThanOrEqual(12);
      expect(figure.noise).toBeGreaterThanOrEqual(0);
    }
    expect(noise).toBe(Math.max(...figures.map((figure) => figure.noise)));
    expect(machine.node).toBe(process.versions.node);
  });

  test('--github is the list that benchmark actions read; the table shows the noise', async () => {
    const list = JSON.parse((await run({ suite: 'decode', time: '12', github: true })).out) as Record<
      string,
      unknown
    >[];
    expect(list).toHaveLength(5);
    for (const entry of list) {
      expect(Object.keys(entry)).toEqual(['name', 'unit', 'value', 'range', 'extra']);
      expect(entry['value']).toBeGreaterThan(1000);
    }
    const { out } = await run({ suite: 'decode', time: '12' });
    expect(out).toMatch(
      /^ +median +slowest +fastest +spread +A\/A +runs\ndecode\n {2}packet-nic, all columns .+ M events\/s/,
    );
    expect(out).toContain('how far the same code differs from itself');
  });

  test('harvests of real tables, in bytes of table, what is done between runs left out', async () => {
    const { out } = await run({ suite: 'harvest', time: '12', json: true });
    const { figures } = (JSON.parse(out) as { readonly result: BenchResult }).result;
    expect(figures.map(({ name, unit }) => [name, unit])).toEqual([
      ['0 % dirty, 1 thread', 'bytes/s'],
      ['0 % dirty, 2 threads', 'bytes/s'],
      ['0.1 % dirty, 1 thread', 'bytes/s'],
      ['1 % dirty, 1 thread', 'bytes/s'],
      ['1 % dirty, 2 threads', 'bytes/s'],
    ]);
    for (const { amount, median } of figures) expect([amount, median > 1e6]).toEqual([2 ** 27, true]);
  });

  test('Ctrl-C stops between two turns and exits 130', async () => {
    const { code, out, err } = await run({ suite: 'decode', time: '12' }, new AbortController());
    expect([code, out]).toEqual([130, '']);
    expect(err).toMatch(/interrupted/);
  });

  test.each([
    [{ suite: 'decoding' }, /no benchmark suite "decoding"/],
    [{ time: '0' }, /--time expects/],
    [{ time: 'soon' }, /--time expects/],
    [{ json: true, github: true }, /exclude each other/],
  ])('%j is a usage error', async (options, message) => {
    await expect(run(options)).rejects.toThrow(message);
    await expect(run(options)).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('measure', () => {
  test('a case that fails fails the run, instead of looking fast', async () => {
    const broken = {
      name: 'broken',
      amount: 1,
      unit: 'events' as const,
      run: (): number => {
        throw new Error('no such thing');
      },
    };
    await expect(measure('x', broken, 10, () => false)).rejects.toThrow('no such thing');
  });

  test('quantiles fall between neighbours', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([4, 1, 3, 2], 0)).toBe(1);
    expect(quantile([4, 1, 3, 2], 1)).toBe(4);
    expect(quantile([7], 0.25)).toBe(7);
  });
});

describe('the registry', () => {
  test('names are unique, within a suite too', async () => {
    expect(new Set(SUITES.map((suite) => suite.name)).size).toBe(SUITES.length);
    const replay = (await SUITES.find((suite) => suite.name === 'replay')?.prepare()) ?? [];
    if ('cases' in replay) throw new Error('replay has nothing to close');
    expect(replay.length).toBeGreaterThan(3);
    expect(new Set(replay.map((one) => one.name)).size).toBe(replay.length);
    for (const one of replay) expect(one.amount).toBeGreaterThan(100_000);
  });
});

describe('iorr bench --baseline', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-baseline-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Stored figures of which each is so many times what was measured, with as much A/A noise. */
  async function stored(name: string, factor: number, noise: number): Promise<string> {
    const { out } = await run({ suite: 'decode', time: '12', json: true });
    const document = JSON.parse(out) as { result: { figures: { median: number; noise: number; samples: number[] }[] } };
    for (const figure of document.result.figures) {
      expect(figure.samples.length).toBeGreaterThan(2);
      figure.median *= factor;
      figure.samples = figure.samples.map((rate) => rate * factor);
      figure.noise = noise;
    }
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify(document));
    return file;
  }

  test('a figure that was a hundred times faster fails the gate, one within its noise does not', async () => {
    const fast = await stored('fast.json', 100, 0);
    const { code, out } = await run({ suite: 'decode', time: '60', baseline: fast, json: true });
    const { diff } = (JSON.parse(out) as { result: { diff: DiffResult } }).result;
    expect(diff.metrics.map(({ verdict }) => verdict)).not.toContain('better');
    // on a machine whose own noise is not half as large as that
    const quiet = diff.metrics.filter(({ noise }) => (noise ?? 1) < 0.5);
    expect(quiet.map(({ verdict }) => verdict)).toEqual(quiet.map(() => 'worse'));
    expect(code).toBe(diff.metrics.some(({ verdict }) => verdict === 'worse') ? 3 : 0);
    const noisy = await stored('noisy.json', 1, 50);
    expect((await run({ suite: 'decode', time: '12', baseline: noisy })).code).toBe(0);
  });

  test('a result of another command, and both ways at once, are refused before anything is measured', async () => {
    const other = join(folder, 'replay.json');
    writeFileSync(other, JSON.stringify({ schemaVersion: 1, tool: 'iorr', command: 'replay', result: {} }));
    await expect(run({ baseline: other })).rejects.toThrow(/a result of bench expected/);
    await expect(run({ baseline: other, against: 'x' })).rejects.toThrow(/exclude each other/);
  });

  test('turns are joined: the noise is also what they differ by', () => {
    const figure = {
      suite: 's',
      name: 'n',
      unit: 'events/s',
      min: 90,
      max: 110,
      spread: 0.1,
      runs: 3,
      amount: 1,
    } as const;
    const [one, other] = [
      { ...figure, median: 100, noise: 0.01, samples: [90, 100, 110] },
      { ...figure, median: 125, noise: 0.02, samples: [120, 125, 130] },
    ];
    const joined = joinTurns([one], [other]);
    expect(joined).toEqual([
      { ...one, median: 115, noise: 0.19999999999999996, runs: 6, samples: [90, 100, 110, 120, 125, 130] },
    ]);
    expect(joinTurns([one], [])).toEqual([]);
  });
});
