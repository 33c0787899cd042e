import { describe, expect, test } from 'vitest';
import { readText } from '../../.ci/files.ts';
import { validationCells } from '../docs/validation-table.ts';
import { iotlbReachSection } from './a-iotlb-reach.ts';
import { smallNumbersSection } from './d-small-numbers.ts';
import { faultQueueSection } from './e-fault-queue.ts';
import { sectionText, summaryText } from './line-table.ts';
import { holds, validationLine } from './line.ts';
import type { LineDraft, ValidationLine } from './line.ts';
import { SECTIONS } from './sections.ts';

const DRAFT: LineDraft = {
  id: 'X.1',
  what: 'something',
  unit: 'ns',
  published: [10, 20],
  predicted: 25,
  tolerance: 0.2,
  status: 'predicted',
  why: 'made up',
};

/** Lines that docs/validation.md has otherwise: `npm run docs` writes it. */
function stale(lines: readonly ValidationLine[]): readonly string[] {
  const page = readText('docs/validation.md');
  return lines.filter((line) => !page.includes(`| ${validationCells(line).join(' | ')} |`)).map(({ id }) => id);
}

describe('validation', () => {
  test('A: four values, fitted on four windows, give throughput and latency of all', { timeout: 60_000 }, async () => {
    const lines = await iotlbReachSection.run(true);
    expect(lines).toHaveLength(27);
    expect(stale(lines)).toEqual([]);
    expect(lines.filter(({ status }) => status === 'fitted')).toHaveLength(8);
    expect(lines.filter((line) => !holds(line)).map(({ id, error }) => ({ id, error }))).toEqual([]);
    expect(iotlbReachSection.notes?.(lines).join('\n')).toContain(
      'no values within tolerance were found for: one-set, any order',
    );
  });

  test('D: at least six lines are predicted within 20%, and each other one says what it is', async () => {
    const lines = await smallNumbersSection.run(true);
    expect(stale(lines)).toEqual([]);
    const predicted = lines.filter(({ status }) => status === 'predicted');
    expect(predicted.filter((line) => (line.error ?? 1) <= 0.2).length).toBeGreaterThanOrEqual(6);
    expect(predicted.filter((line) => line.fittedOn.includes(line.id))).toEqual([]);
    for (const line of lines.filter(({ status }) => status === 'out-of-scope')) expect(line.why).toMatch(/^missing: /);
    expect(lines.filter((line) => !holds(line)).map(({ id, error }) => ({ id, error }))).toEqual([]);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
  });

  test('E: waits, occupancy and overflow of fault queues are those of theory', { timeout: 300_000 }, async () => {
    const full = process.env['IORR_FULL'] === '1';
    const lines = await faultQueueSection.run(!full);
    expect(lines.filter((line) => !holds(line)).map(({ id, error }) => ({ id, error }))).toEqual([]);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
    if (full) expect(stale(lines)).toEqual([]);
    if (full) expect(Math.max(...lines.map(({ error }) => error ?? 1))).toBeLessThan(0.02);
  });

  test('sections have names of their own, and their lines are told as a table', async () => {
    expect(SECTIONS.map(({ name }) => name)).toEqual(['A', 'B', 'C', 'D', 'E']);
    const lines = await smallNumbersSection.run(true);
    const text = sectionText(smallNumbersSection, lines);
    expect(text).toMatch(/^D\. Exact small numbers\n/);
    for (const { what } of lines) expect(text).toContain(what);
    expect(text).toContain('D.grace.strict: missing: ');
    expect(summaryText(lines)).toMatch(
      /^within their tolerance: \d+ of \d+ predicted, 0 of 0 fitted; \d+ input, \d+ out-of-scope\n$/,
    );
  });

  test('errors are measured from the nearer end of a range', () => {
    const line = validationLine(DRAFT);
    expect(line.error).toBe(0.25);
    expect(holds(line)).toBe(false);
    expect(validationLine({ ...DRAFT, predicted: 12 }).error).toBe(0);
    expect(validationLine({ ...DRAFT, predicted: 9 }).error).toBeCloseTo(0.1);
    expect(validationLine({ ...DRAFT, published: 20, predicted: 19 }).error).toBeCloseTo(0.05);
    const { predicted: _none, ...bare } = DRAFT;
    const out = validationLine({ ...bare, status: 'out-of-scope' });
    expect([out.error, out.predicted, holds(out)]).toEqual([undefined, undefined, true]);
    expect(() => validationLine(bare)).toThrow(/X\.1/);
    expect(() => validationLine({ ...DRAFT, status: 'out-of-scope' })).toThrow(RangeError);
  });
});
