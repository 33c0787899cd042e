import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runWithUsage } from './child-usage.ts';
import { describeFigure, hasCaptures, importFigures, largeTraceFigures, meets, replayFigures } from './figures.ts';
import type { Figure, FigurePlaces } from './figures.ts';

const full = process.env['IORR_FULL'] === '1';
const root = join(import.meta.dirname, '..');
const places: FigurePlaces = {
  cli: join(root, 'dist/cli.js'),
  captures: join(root, '../shared/captures'),
  scratch: mkdtempSync(join(tmpdir(), 'iorr-figures-')),
};
const captures = hasCaptures(places);
const LONG = { timeout: 1_800_000 };

beforeAll(() => {
  if (full && !captures) process.stderr.write('figures of captures are left out: ../shared/captures is not there\n');
});

afterAll(() => rmSync(places.scratch, { recursive: true }));

/** Prints all, and returns those that miss their limits. */
function missed(figures: readonly Figure[]): readonly string[] {
  process.stdout.write(`${figures.map(describeFigure).join('\n')}\n`);
  return figures.filter((figure) => !meets(figure)).map(describeFigure);
}

describe('full figures', () => {
  test.skipIf(!full || !captures)('import of a guest capture: speed and size', LONG, async () => {
    expect(missed(await importFigures(places))).toEqual([]);
  });

  test.skipIf(!full || !captures)('replay of an emulator log repeated to 30 M events', LONG, async () => {
    expect(missed(await replayFigures(places))).toEqual([]);
  });

  test.skipIf(!full)('memory of a trace of 100 M events', LONG, async () => {
    expect(missed(await largeTraceFigures(places))).toEqual([]);
  });
});

describe('what a process used', () => {
  test('memory that was touched and time that was spent show', async () => {
    const spender =
      'const b = Buffer.alloc(200 * 2 ** 20, 1); const end = Date.now() + 300; while (Date.now() < end); console.log(b.length)';
    const script = `data:text/javascript,${encodeURIComponent(spender)}`;
    const usage = await runWithUsage('-e', [`import(${JSON.stringify(script)})`]);
    expect(usage.stdout).toBe(`${200 * 2 ** 20}\n`);
    expect(usage.peakBytes).toBeGreaterThan(200 * 2 ** 20);
    expect(usage.peakBytes).toBeLessThan(400 * 2 ** 20);
    expect(usage.cpuSeconds).toBeGreaterThan(0.25);
    expect(usage.code).toBe(0);
  });

  test('a figure meets its limit or says that it misses it', () => {
    const figure = { name: 'size', value: 1.6, unit: 'bytes/event', limit: { most: 1.5 }, command: 'iorr import' };
    expect(describeFigure(figure)).toBe('MISS size: 1.60 bytes/event (at most 1.5) - iorr import');
    expect(describeFigure({ ...figure, limit: { least: 1.5 } })).toMatch(/^ok {3}size/);
  });
});
