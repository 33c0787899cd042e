import { describe, expect, test } from 'vitest';
import type { CompareReport } from './envelope.ts';
import {
  compareReport,
  compareResult,
  emptyResult,
  hostileReport,
  replayReport,
  tenDesigns,
  unknownResult,
  verifyReport,
} from './fixtures/results.ts';
import { rendererNamed } from './renderers.ts';

/** One row of the fixtures of a comparison: golden files are `golden/NAME.OUTPUT`. */
const COMPARISONS: readonly (readonly [name: string, report: CompareReport])[] = [
  ['two-designs', compareReport()],
  ['unknown-accesses', compareReport(unknownResult())],
  ['one-design', compareReport({ ...compareResult(), recorded: null, designs: compareResult().designs.slice(0, 1) })],
  ['ten-designs', compareReport(tenDesigns())],
  ['empty-series', compareReport(emptyResult())],
  ['hostile', hostileReport()],
];

const ANSI = /\u001b\[/;
const SEPARATOR_LINE = /^\| :--( \| -?-:)+ \|$/m;

describe.each(COMPARISONS)('a comparison: %s', (name, report) => {
  test.each(['terminal', 'markdown', 'csv'])('%s', async (output) => {
    const renderer = rendererNamed(output);
    const text = renderer.render(report, { columns: 100, colour: false });
    await expect(text).toMatchFileSnapshot(`golden/${name}.${renderer.extension}`);
  });

  test('fits a terminal of 80 columns, but for names', () => {
    const text = rendererNamed('terminal').render(report, { columns: 80, colour: false });
    const wide = text.split('\n').filter((line) => line.length > 80);
    expect(name === 'hostile' ? [] : wide).toEqual([]);
  });

  test('colour adds sequences and nothing else', () => {
    const plain = rendererNamed('terminal').render(report, { columns: 100, colour: false });
    const coloured = rendererNamed('terminal').render(report, { columns: 100, colour: true });
    expect(plain).not.toMatch(ANSI);
    expect(coloured).toMatch(ANSI);
    const stripped = coloured.replace(/\u001b\[\d+m/g, '');
    expect(stripped.replace(/ +$/gm, '')).toBe(plain.replace(/ +$/gm, ''));
  });

  test('every line of a Markdown table has the same cells', () => {
    const text = rendererNamed('markdown').render(report, { columns: 100, colour: false });
    const [table = ''] = text.split('\n\n').filter((part) => SEPARATOR_LINE.test(part));
    const cells = table.split('\n').map((line) => line.replace(/\\./g, '').split('|').length);
    expect(cells.length).toBeGreaterThan(2);
    expect(new Set(cells).size).toBe(1);
  });

  test('every line of the CSV has the same fields', () => {
    const lines = rendererNamed('csv').render(report, { columns: 100, colour: false }).trimEnd().split('\n');
    const fields = lines.map((line) => line.replace(/"(?:[^"]|"")*"/g, '').split(',').length);
    expect(new Set(fields).size).toBe(1);
    expect(lines.length).toBe(1 + report.result.designs.length + (report.result.recorded === null ? 0 : 1));
  });
});

describe('JSON', () => {
  test('has the keys of the document in their order, and the names that scripts rely on', async () => {
    const small: CompareReport = compareReport({
      ...unknownResult(),
      marks: [{ t: 9e9, text: 'start' }],
      designs: unknownResult().designs.map((design) => ({
        ...design,
        series: {
          ...design.series,
          commands: [1, 2],
          syncs: [1, 2],
          lookups: [0, 0],
          hits: [0, 0],
          exposedPages: [0, Number.NaN],
        },
      })),
    });
    const text = rendererNamed('json').render(small, { columns: 80, colour: false });
    const parsed = JSON.parse(text) as Record<string, unknown>;
    expect(Object.keys(parsed).slice(0, 5)).toEqual(['schemaVersion', 'tool', 'version', 'command', 'input']);
    expect(Object.keys(parsed).slice(-2)).toEqual(['health', 'result']);
    expect(parsed).toMatchObject({ schemaVersion: 1, tool: 'iorr', command: 'compare' });
    await expect(text).toMatchFileSnapshot('golden/unknown-accesses.json');
  });
});

describe('replay and verify on a terminal', () => {
  const options = { columns: 80, colour: false };
  const terminal = rendererNamed('terminal');

  test('replay', async () => {
    await expect(terminal.render(replayReport(), options)).toMatchFileSnapshot('golden/replay.txt');
  });

  test('replay of a trace without accesses', async () => {
    const blind = replayReport({
      iotlb: null,
      walks: null,
      walkReads: null,
      exposure: null,
      stale: null,
      wasted: null,
      caveats: ['No accesses.'],
    });
    await expect(terminal.render(blind, options)).toMatchFileSnapshot('golden/replay-unknown.txt');
  });

  test('verify with divergences', async () => {
    await expect(terminal.render(verifyReport(), options)).toMatchFileSnapshot('golden/verify.txt');
  });

  test('verify that agrees, and one with nothing to check', async () => {
    const agrees = verifyReport({
      checked: 10,
      agreed: 10,
      diverged: 0,
      divergences: [],
      byKind: { inv: { checked: 10, agreed: 10, diverged: 0 } },
      byPart: {},
      skipped: { count: 0, reasons: {} },
      notes: [],
    });
    const nothing = verifyReport({ checked: 0, agreed: 0, diverged: 0, divergences: [], byKind: {}, byPart: {} });
    await expect(terminal.render(agrees, options)).toMatchFileSnapshot('golden/verify-agrees.txt');
    await expect(terminal.render(nothing, options)).toMatchFileSnapshot('golden/verify-nothing.txt');
  });
});
