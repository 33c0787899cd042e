import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { NO_LIVE_RECORDING } from '../../recorder/live/testing/live-machine.ts';
import { describeFigure, meets } from '../figures.ts';
import type { Figure } from '../figures.ts';
import { buildLoop, costFigures, lossFigures, rateFigures, recordLoop, sourceCostFigures } from './live-figures.ts';

const full = process.env['IORR_FULL'] === '1';
const folder = mkdtempSync(join(tmpdir(), 'iorr-live-figures-'));
afterAll(() => rmSync(folder, { recursive: true }));

const loop = NO_LIVE_RECORDING === undefined ? buildLoop(folder) : undefined;
if (NO_LIVE_RECORDING === undefined && loop === undefined) process.stderr.write('not tested here: there is no gcc\n');

/** Prints all, and returns those that miss their limits. */
function missed(figures: readonly Figure[]): readonly string[] {
  process.stdout.write(`${figures.map(describeFigure).join('\n')}\n`);
  return figures.filter((figure) => !meets(figure)).map(describeFigure);
}

describe.skipIf(!full || loop === undefined)('full figures of a live recording', () => {
  test('2 M events a second for 5 seconds: none is lost, taking them is cheap', () => {
    expect(missed(rateFigures(loop ?? '', { seconds: 5, runs: 5 }))).toEqual([]);
  });

  test('four times as many: what is lost is counted exactly', () => {
    expect(missed(lossFigures(loop ?? '', { seconds: 5, runs: 3 }))).toEqual([]);
  });

  test('the recorded process pays for the tracepoint alone', () => {
    expect(missed(costFigures(loop ?? '', 3_000_000, 7))).toEqual([]);
  });

  test('what each source adds to a call', () => {
    expect(missed(sourceCostFigures(loop ?? '', 5))).toEqual([]);
  });
});

describe.skipIf(loop === undefined)('a live recording of a loop', () => {
  test('has each of its calls', () => {
    const quiet = recordLoop([loop ?? '', '2', '0', '100']);
    const { taken, lost, calls } = recordLoop([loop ?? '', '2', '0', '20000']);
    expect(calls).toBe(40_000);
    expect(lost).toBe(0);
    expect(taken - 2 * calls).toBe(quiet.taken - 2 * quiet.calls);
  });

  test('has or counts each of its calls where buffers overflow', () => {
    expect(missed(lossFigures(loop ?? '', { seconds: 0.4, runs: 1 }))).toEqual([]);
  });
});
