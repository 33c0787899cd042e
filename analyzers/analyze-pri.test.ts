import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../traces/file.ts';
import { MemoryTrace } from '../traces/memory-trace.ts';
import { ACCESS, DIALECT, INV_FORM, STREAM_ID } from '../traces/schema.ts';
import { testHeader } from '../traces/testing/test-header.ts';
import { pri } from './analyze-pri.ts';
import { breach, parseGates } from './gate.ts';
import { analyzePri, outstandingAt } from './pri/pri.ts';
import type { PriResult } from './pri/pri.ts';
import { priHtml } from './pri/pri-html.ts';
import { priText } from './pri/pri-text.ts';
import { troubleWith } from './report/fixtures/inert-page.ts';

const CORPUS = join(import.meta.dirname, '../traces/corpus');

function analyzed(name: string): PriResult {
  const trace = openTrace(join(CORPUS, `${name}.iorr`));
  try {
    return analyzePri(trace);
  } finally {
    trace.close();
  }
}

interface Asked {
  readonly at: number;
  readonly index: number;
  readonly page: number;
  readonly answerAt: number;
  readonly code?: number;
}

/** Groups of one request, as a kernel's own handler serves them; `lost` events at the end. */
function served(groups: readonly Asked[], lost = 0): MemoryTrace {
  const trace = new MemoryTrace(testHeader({ fidelity: { prq: 'full' } }));
  const events = groups.flatMap((group, seq) => [
    { at: group.at, group, seq },
    { at: group.answerAt, group, seq: -1 },
  ]);
  for (const { at, group, seq } of events.sort((a, b) => a.at - b.at)) {
    if (seq >= 0) {
      const row = trace.begin(STREAM_ID.prq, at, 0, 30);
      const { columns } = trace.rows.prq;
      columns.unit[row] = trace.intern('dmar0');
      columns.rid[row] = 8;
      columns.pasid[row] = 1;
      columns.group[row] = group.index;
      columns.iovaLo[row] = group.page << 12;
      columns.access[row] = ACCESS.read | ACCESS.last;
      columns.seq[row] = seq;
    } else {
      const row = trace.begin(STREAM_ID.inv, at, 1, 57);
      const { columns } = trace.rows.inv;
      columns.dialect[row] = DIALECT.vtd;
      columns.form[row] = INV_FORM.words;
      columns.w0Lo[row] = 9 | 0x10 | ((group.code ?? 0) << 12) | (8 << 16);
      columns.w0Hi[row] = 1;
      columns.w1Lo[row] = group.index << 3;
    }
  }
  if (lost > 0) {
    const row = trace.begin(STREAM_ID.lost, 1e6, 0, -1);
    trace.rows.lost.columns.countLo[row] = lost;
  }
  return trace;
}

describe('page requests of a run with all its logs', () => {
  const result = analyzed('vtd-pri-pasid-7.2-calls');

  test('every group is joined from the hardware to user space and back', () => {
    expect(result).toMatchObject({
      requests: 1005,
      groups: 735,
      answered: 735,
      unanswered: 0,
      commands: 735,
      codes: { success: 721, invalid: 14, failure: 0 },
      by: { user: 735, kernel: 0, unknown: 0 },
      user: { records: 1005, writes: 735, responses: 735, refused: 0 },
      sizes: [
        { requests: 1, groups: 645 },
        { requests: 4, groups: 90 },
      ],
      findings: [],
    });
    expect(result.answers.map(({ code, cause, groups }) => [code, cause, groups])).toEqual([
      ['SUCCESS', 'response', 721],
      ['INVALID', 'response', 14],
    ]);
  });

  test('stages lie one behind the other, and their bounds around what is known exactly', () => {
    const { queued, served: inUser, issued, completed, answered } = result.stages;
    expect([queued?.count, inUser?.count, issued?.count, answered?.count]).toEqual([735, 735, 735, 735]);
    // Of the run under strace every call has its time.
    expect([queued?.exact, issued?.exact]).toEqual([47, 47]);
    const sum = (pick: 'ns' | 'atMostNs'): number =>
      [queued, inUser, issued].reduce((all, stage) => all + (stage?.[pick]?.mean ?? stage?.ns.mean ?? 0), 0);
    expect(sum('ns')).toBeLessThan(answered?.ns.mean ?? 0);
    expect(sum('atMostNs')).toBeGreaterThan(answered?.ns.mean ?? 0);
    expect(completed?.ns.p50).toBeGreaterThan(0);
    expect(result.occupancy?.groups?.max).toBe(1);
    expect(result.occupancy?.requests?.max).toBe(4);
  });

  test('the kernel alone shows as many groups and the same codes, and not who answered', () => {
    const alone = analyzed('vtd-pri-pasid-7.2');
    const by = { user: 0, kernel: 0, unknown: 735 };
    expect(alone).toMatchObject({ requests: 1005, groups: 735, answered: 735, codes: result.codes, by, findings: [] });
    expect(alone.answers.map(({ cause }) => cause)).toEqual(['task', 'task']);
    expect(alone.stages.queued).toBeNull();
    expect(alone.caveats.join('\n')).toContain('no system calls are in the trace');
  });
});

describe('what the kernel serves by itself', () => {
  const groups = [
    { at: 1000, index: 0, page: 0x10, answerAt: 3000 },
    { at: 2000, index: 1, page: 0x11, answerAt: 2500 },
    { at: 4000, index: 2, page: 0x10, answerAt: 9000, code: 1 },
    { at: 5000, index: 3, page: 0x40, answerAt: 6000, code: 15 },
  ];

  test('has times, codes, an occupancy and repeats, and no stages of user space', () => {
    const result = analyzePri(served(groups));
    expect(result).toMatchObject({
      groups: 4,
      codes: { success: 2, invalid: 1, failure: 1 },
      by: { user: 0, kernel: 0, unknown: 4 },
      outOfOrder: 2,
      repeats: { pages: 3, pagesAgain: 1, requests: 1, afterSuccess: 1, flushedBetween: 0, mostOfOnePage: 2 },
      stages: { queued: null, served: null, issued: null, completed: null },
    });
    expect(result.stages.answered?.ns).toMatchObject({ min: 500, p50: 1000, max: 5000 });
    expect(result.occupancy?.groups).toMatchObject({ max: 2, maxAtNs: 2000 });
    // (2,000 + 500 + 5,000 + 1,000) ns of groups in 8,000 ns
    expect(result.occupancy?.groups?.mean).toBeCloseTo(8500 / 8000);
    // The group of page 0x10 comes again when its block is there; that of 0x11 comes before the block's answer.
    expect(result.prefetch[0]).toEqual({ blockPages: 2, blocks: 1, avoided: 1, share: 0.25 });
  });

  test('lost events weaken what is said', () => {
    expect(analyzePri(served(groups, 12)).caveats[0]).toMatch(
      /12 events were lost at 1 place: counts are lower bounds/,
    );
  });

  test('at a time: what is on its way', () => {
    expect(outstandingAt(served(groups), 5500).map(({ index, state, ageNs }) => [index, state, ageNs])).toEqual([
      [2, 'queued', 1500],
      [3, 'queued', 500],
    ]);
  });

  test('gates name numbers of the result; what is unknown does not pass', () => {
    const result = analyzePri(served(groups));
    const verdicts = parseGates(
      'unanswered,invalid>1,failure,latency>4999,stages.queued.ns.p50>1',
      pri.gates ?? {},
    ).map((gate) => breach(gate, result));
    expect(verdicts.map((verdict) => verdict?.split(':')[0])).toEqual([
      undefined,
      undefined,
      'failure',
      'latency>4999',
      'stages.queued.ns.p50>1',
    ]);
  });

  test('the text has what the result has; the page is one inert file', () => {
    const result = analyzePri(served(groups));
    const text = priText('a.iorr', result);
    expect(text).toContain('4 groups of 4 page requests; 4 answered: 2 SUCCESS, 1 INVALID, 1 FAILURE');
    expect(text).toContain('2 groups answered after one that was complete later');
    const health = { malformed: 0, unknown: 0, lost: 0, truncated: 0, ignored: 0, entries: [] };
    const page = priHtml(result, { file: '<a>.iorr', version: '0', health });
    expect(troubleWith(page)).toEqual([]);
    for (const id of ['latency', 'occupancy', 'answers', 'pages']) expect(page).toContain(`id="${id}"`);
  });
});
