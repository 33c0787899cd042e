import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { troubleWith } from '../report/fixtures/inert-page.ts';
import { analyzeLatency } from './latency.ts';
import type { LatencyResult } from './latency.ts';
import { latencyHtml } from './latency-html.ts';

const HOSTILE = '<img src=x onerror=alert(1)>\u202e"\'';

function analyze(name: string): LatencyResult {
  const trace = openTrace(join(import.meta.dirname, `../../traces/corpus/${name}.iorr`));
  try {
    return analyzeLatency(trace);
  } finally {
    trace.close();
  }
}

const calls = analyze('iommufd-random');
const requests = analyze('vtd-pri-pasid-7.2');
const PAGES = [
  ['calls', calls],
  ['commands and page requests', requests],
  ['hostile names', { ...calls, ioctls: (calls.ioctls ?? []).map((span) => ({ ...span, name: HOSTILE })) }],
  ['nothing', { ...calls, commands: null, ioctls: null, faults: null }],
] as const;

describe.each(PAGES)('the page of %s', (_, result) => {
  test('is self-contained, inert and well-formed', () => {
    expect(troubleWith(latencyHtml(result, { file: HOSTILE, version: '0.0.0', health: EMPTY_HEALTH }))).toEqual([]);
  });
});

test('pictures and tables have what the result has', () => {
  const page = latencyHtml(requests, { file: 'p.iorr', version: '0.0.0', health: EMPTY_HEALTH });
  const sections = [...page.matchAll(/<section class="part" id="(\w+)"/g)].map(([, id]) => id);
  const { commands, ioctls, faults } = requests;
  expect(sections).toEqual([
    ...(commands === null ? [] : ['commands']),
    ...(ioctls === null ? [] : ['calls']),
    ...(faults === null ? [] : ['faults']),
    'basis',
  ]);
  for (const { name, count } of [...(commands ?? []), ...(faults?.spans ?? [])]) {
    expect(page).toContain(`>${name}</th><td data-v="${count}">`);
  }
});
