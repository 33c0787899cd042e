import { expect, test } from 'vitest';
import type { CoreScaling, CoresPoint } from '../../replay/results.ts';
import type { DesignRow } from './comparison.ts';
import { makeDesign } from './fixtures/results.ts';
import { paintFor } from './paint.ts';
import { coresLines } from './terminal-cores.ts';

function point(cores: number, relative: number, busy: number): CoresPoint {
  return {
    cores,
    submissionsPerSecond: 20_000 * relative,
    relative,
    utilisation: busy / 2,
    lockUtilisation: busy,
    thinkNs: 48_000,
    waitNs: { mean: 2000 * cores, p50: 2000, p99: 9000 },
  };
}

function row(label: string, scaling?: CoreScaling): DesignRow {
  const shape = { name: label, seed: 1, batch: 1, hitRate: 0.5, middle: 12, pageSeconds: 1 };
  const design = makeDesign(shape);
  return { label, number: 0, recorded: false, design: scaling === undefined ? design : { ...design, scaling } };
}

const SCALING: CoreScaling = {
  points: [point(1, 1, 0.04), point(8, 7.5, 0.3), point(64, 25, 0.99)],
  knee: { bound: 25.4, departs: 14, saturates: 24, peak: 64 },
  demandNs: { hardware: 500, lock: 2000 },
};

test('throughput by cores, and the knee', () => {
  const lines = coresLines([row('strict', SCALING), row('lazy')], paintFor(false), 80).join('\n');
  // figures and their units are held together by narrow spaces
  expect(lines.replace(/[\u2009\u202f\u00a0]/g, ' ')).toBe(`
Cores                           1        8      64
strict
  submissions per second     20 k    150 k   500 k
  against one core          ×1.00    ×7.50   ×25.0
  submit to wait, mean    2.00 µs  16.0 µs  128 µs
  hardware / lock busy %      2/4    15/30   50/99

strict: saturated from 24 cores on, cores lose 10 % to waiting from 14 on; bound
25 cores`);
});

test('a narrow terminal shows fewer counts, the first and the last among them', () => {
  const points = Array.from({ length: 12 }, (_, i) => point(i + 1, i + 1, 0.1));
  const scaling = { ...SCALING, points, knee: { ...SCALING.knee, saturates: null, departs: null, bound: null } };
  const lines = coresLines([row('strict', scaling)], paintFor(false), 60);
  expect(lines[1]?.split('\n')[0]?.trim().split(/ +/)).toEqual(['Cores', '1', '7', '12']);
  expect(lines.at(-1)).toBe('strict: not saturated at 12 cores');
});

test('nothing where nobody asked', () => {
  expect(coresLines([row('strict')], paintFor(false), 80)).toEqual([]);
});
