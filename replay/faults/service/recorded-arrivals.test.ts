import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { ACCESS, STREAM_ID } from '../../../traces/schema.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import { fittedService } from '../pri-design.ts';
import { readRecordedFaults } from './recorded-arrivals.ts';

interface Row {
  readonly time: number;
  readonly rid: number;
  readonly index: number;
  /** Page of a request, or the code of a response. */
  readonly page?: number;
  readonly last?: boolean;
  readonly code?: number;
  readonly unit?: string;
}

function traceOf(rows: readonly Row[]): MemoryTrace {
  const trace = new MemoryTrace(testHeader());
  for (const { time, rid, index, page, last, code, unit } of [...rows].sort((a, b) => a.time - b.time)) {
    if (page === undefined) {
      const row = trace.begin(STREAM_ID.prs, time, 0, 1);
      const { columns } = trace.rows.prs;
      columns.rid[row] = rid;
      columns.pasid[row] = 7;
      columns.group[row] = index;
      columns.code[row] = code ?? 0;
    } else {
      const row = trace.begin(STREAM_ID.prq, time, 0, 1);
      const { columns } = trace.rows.prq;
      columns.unit[row] = trace.intern(unit ?? 'dmar0');
      columns.rid[row] = rid;
      columns.pasid[row] = 7;
      columns.group[row] = index;
      columns.iovaLo[row] = page << 12;
      columns.access[row] = ACCESS.write | (last === false ? 0 : ACCESS.last);
    }
  }
  return trace;
}

describe('page requests as arrivals', () => {
  test('groups keep their pages, their times and their answers', () => {
    const faults = readRecordedFaults(
      traceOf([
        { time: 1000, rid: 8, index: 3, page: 0x10, last: false },
        { time: 1200, rid: 8, index: 3, page: 0x12 },
        { time: 1500, rid: 9, index: 3, page: 0x20 },
        { time: 2200, rid: 8, index: 3 },
        { time: 2900, rid: 9, index: 3, code: 1 },
        { time: 4000, rid: 8, index: 4, page: 0x30 },
        { time: 4100, rid: 8, index: 5, page: 0x31, last: false },
        { time: 4200, rid: 1, index: 1, page: 0x40, unit: 'dmar1' },
      ]),
    );
    const { arrivals } = faults;
    expect(faults).toMatchObject({
      source: 'queue',
      unit: 'dmar0',
      otherUnits: 1,
      requests: 4,
      answered: 2,
      refused: 1,
    });
    expect(faults).toMatchObject({ unanswered: 1, partial: 1, orphans: 0, inOrder: true });
    expect([...arrivals.time]).toEqual([1000, 1500, 4000]);
    expect([...(arrivals.requestsFrom ?? [])]).toEqual([0, 2, 3, 4]);
    expect([...(arrivals.pages?.page ?? [])]).toEqual([0x10, 0x12, 0x20, 0x30]);
    expect([...(arrivals.pages?.offsetNs ?? [])]).toEqual([0, 200, 0, 0]);
    expect([...(arrivals.device ?? [])].map((device) => arrivals.rids[device])).toEqual([8, 9, 8]);
    expect([...(arrivals.refused ?? [])]).toEqual([0, 1, 0]);
    // one server: 1,000 ns for the first; it began the second when the first was done
    expect([...(arrivals.serviceNs ?? [])]).toEqual([1000, 700, Number.NaN]);
  });

  test('answers out of order are of several servers: the whole time is taken', () => {
    const { inOrder, serviceNs } = readRecordedFaults(
      traceOf([
        { time: 1000, rid: 8, index: 1, page: 1 },
        { time: 1100, rid: 8, index: 2, page: 2 },
        { time: 2000, rid: 8, index: 2 },
        { time: 5000, rid: 8, index: 1 },
      ]),
    );
    expect([inOrder, serviceNs]).toEqual([false, [4000, 900]]);
  });

  test('what one server took is found again, whatever came when', () => {
    const jobs = fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 3000 })), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(jobs, (drawn) => {
        const rows: Row[] = [];
        let now = 0;
        let free = 0;
        drawn.forEach(([gap, service], index) => {
          now += gap + 1;
          free = Math.max(now, free) + service;
          rows.push({ time: now, rid: 8, index, page: index }, { time: free, rid: 8, index });
        });
        expect(readRecordedFaults(traceOf(rows)).serviceNs).toEqual(drawn.map(([, service]) => service));
      }),
      { numRuns: 50 },
    );
  });
});

test('a fit has the mean of what was recorded; what never varies is fixed', () => {
  expect(fittedService([5, 5, 5])).toEqual({ kind: 'fixed', ns: 5 });
  const fit = fittedService([100, 1000, 10_000]);
  expect(fit).toMatchObject({ kind: 'lognormal', ns: 3700 });
  // logarithms to base e, a factor of ten apart
  expect(fit.kind === 'lognormal' ? fit.sigma : 0).toBeCloseTo(Math.log(10), 10);
});
