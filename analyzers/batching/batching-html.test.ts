import { describe, expect, test } from 'vitest';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { troubleWith } from '../report/fixtures/inert-page.ts';
import { chartsOf } from '../report/fixtures/page-charts.ts';
import { BATCHES } from './batching.ts';
import type { BatchingResult } from './batching.ts';
import { batchingHtml } from './batching-html.ts';

const HOSTILE = '<img src=x onerror=alert(1)>\u202e"\'';
const spread = { count: 9, sum: 18, p50: 1, p95: 2, p99: 3, max: 4 };

const some: BatchingResult = {
  unmaps: 4096,
  unmappedPages: 8192,
  commands: 5000,
  submits: 4096,
  submitsPerUnmap: 1,
  commandsPerSubmit: spread,
  commandsByCpu: [{ name: HOSTILE, batches: 3, size: spread }],
  unmapPages: spread,
  runUnmaps: spread,
  runPages: spread,
  unmapsByDevice: [{ name: HOSTILE, batches: 3, size: spread }],
  hardware: HOSTILE,
  profile: HOSTILE,
  access: HOSTILE,
  replayed: BATCHES.map((batch) => ({
    batch,
    commands: 5000 / batch,
    syncs: 4096 / batch,
    doorbells: 4096 / batch,
    cpuNs: 1e9 / batch,
    stallNs: 1e6,
    misses: 1000,
    exposedPages: batch,
    pageSeconds: batch / 1000,
    exposureP99Ns: batch * 1000,
  })),
  parameters: [],
  caveats: [HOSTILE],
};
const nothing: BatchingResult = {
  ...some,
  unmaps: 0,
  commandsPerSubmit: null,
  submitsPerUnmap: null,
  commandsByCpu: [],
  unmapsByDevice: [],
  replayed: some.replayed.map((row) => ({
    ...row,
    commands: 0,
    syncs: 0,
    doorbells: 0,
    cpuNs: 0,
    stallNs: null,
    misses: null,
    exposedPages: null,
    pageSeconds: null,
    exposureP99Ns: null,
  })),
  caveats: [],
};

function pageOf(result: BatchingResult): string {
  return batchingHtml(result, { file: HOSTILE, version: '0.0.0', health: EMPTY_HEALTH });
}

describe('the page of batches', () => {
  test.each([
    ['much', some],
    ['nothing', nothing],
  ])('of %s is self-contained, inert and well-formed', (_, result) => {
    expect(troubleWith(pageOf(result))).toEqual([]);
  });

  test('has a line for each figure and a row for each batch', () => {
    const page = pageOf(some);
    // commands, waits, doorbells, misses; processors, devices; exposure
    const lines = chartsOf(page).flatMap((chart) => chart.lines);
    expect(lines).toHaveLength(7);
    for (const { x, marks } of lines) expect([x, marks]).toEqual([BATCHES, true]);
    for (const batch of BATCHES) expect(page).toContain(`<th scope="row" data-v="${batch}">`);
    expect(chartsOf(pageOf(nothing))).toEqual([]);
  });
});
