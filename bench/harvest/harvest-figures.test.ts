import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { describeFigure, meets } from '../figures.ts';
import type { Figure } from '../figures.ts';
import { buildScanLoop, cachedScalingFigures, lossFigures, rateFigures, scanLoopRate } from './harvest-figures.ts';

const full = process.env['IORR_FULL'] === '1';
const folder = mkdtempSync(join(tmpdir(), 'iorr-harvest-figures-'));
afterAll(() => rmSync(folder, { recursive: true }));

const loop = buildScanLoop(folder);
if (loop === undefined) process.stderr.write('harvests are not compared with a plain C loop: there is no gcc\n');

/** Prints all, and returns those that miss their limits. */
function missed(figures: readonly Figure[]): readonly string[] {
  process.stdout.write(`${figures.map(describeFigure).join('\n')}\n`);
  return figures.filter((figure) => !meets(figure)).map(describeFigure);
}

describe.skipIf(!full)('full figures of harvests', () => {
  test('rate of a core, beside a plain loop, and of two', async () => {
    expect(missed(await rateFigures({ loop, rounds: 21 }))).toEqual([]);
  });

  test('two threads where memory is no limit', async () => {
    expect(missed(await cachedScalingFigures({ loop, rounds: 21 }))).toEqual([]);
  });

  test('10 million writes while others harvest: none is lost', async () => {
    expect(missed(await lossFigures(10_000_000))).toEqual([]);
  });
});

describe('figures of harvests', () => {
  test('with writers at work, in small', async () => {
    expect(missed(await lossFigures(100_000))).toEqual([]);
  });

  test.skipIf(loop === undefined)('the plain loop finds what is dirty, and says its rate', () => {
    expect(scanLoopRate(loop ?? '', 2 ** 20)).toBeGreaterThan(1e7);
    expect(scanLoopRate(loop ?? '', 2 ** 20, 2)).toBeGreaterThan(1e7);
  });
});
