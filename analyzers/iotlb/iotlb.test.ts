import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pageSample } from '../../replay/distances/page-sample.ts';
import { replayTrace } from '../../replay/engine/replay.ts';
import { withSettings } from '../../replay/hardware/profiles.ts';
import { vtdServer } from '../../replay/hardware/vtd-server.ts';
import { qemuVtd } from '../../replay/hardware/qemu-vtd.ts';
import { openTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { ACCESS, ATTACH, ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import { analyzeIotlb } from './iotlb.ts';
import { chartsOf } from '../report/fixtures/page-charts.ts';
import { iotlbHtml } from './iotlb-html.ts';
import { iotlbText } from './iotlb-text.ts';
import { kneeOf, reachOfShare } from './knee.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const CORPUS = join(import.meta.dirname, '../../traces/corpus');

function withTrace<T>(name: string, use: (trace: ReturnType<typeof openTrace>) => T): T {
  const trace = openTrace(join(CORPUS, name));
  try {
    return use(trace);
  } finally {
    trace.close();
  }
}

/** Accesses to `pages` pages, the smaller numbers more often; a map of 2 MiB in the middle where `grows`. */
function skewed(accesses: number, pages: number, grows: boolean): MemoryTrace {
  const trace = new MemoryTrace(testHeader({ host: { iommu: 'vtd' } }));
  const { rows } = trace;
  for (const [device, domain] of [
    [0x10, 1],
    [0x18, 2],
  ] as const) {
    const at = trace.begin(STREAM_ID.attach, 0, 0, 0);
    rows.attach.columns.kind[at] = ATTACH.attach;
    rows.attach.columns.device[at] = device;
    rows.attach.columns.pasid[at] = ABSENT;
    rows.attach.columns.domain[at] = domain;
  }
  const random = new Random(5);
  for (let i = 0; i < accesses; i++) {
    if (grows && i === accesses >> 1) {
      const row = trace.begin(STREAM_ID.map, i * 10, 0, 0);
      rows.map.columns.origin[row] = ORIGIN.iommu;
      rows.map.columns.domain[row] = 1;
      rows.map.columns.sizeLo[row] = 1 << 21;
      rows.map.columns.prot[row] = ACCESS.read | ACCESS.write;
    }
    const row = trace.begin(STREAM_ID.dma, i * 10, 0, 0);
    const { columns } = rows.dma;
    columns.rid[row] = random.chance(0.3) ? 0x18 : 0x10;
    columns.domain[row] = ABSENT;
    columns.iovaLo[row] = Math.floor(pages * random.unit() ** 3) << 12;
    columns.access[row] = ACCESS.read;
  }
  return trace;
}

describe('of the corpus', () => {
  test('the chosen geometry is its replay, the curve has the size of one set, parts add up', () => {
    withTrace('vtd-vfio-7.2.iorr', (trace) => {
      const result = analyzeIotlb(trace, { hardware: vtdServer });
      expect(result.chosen).toMatchObject({ sets: 64, ways: 4, entries: 256, onCurve: true });
      expect(result.chosen.iotlb).toEqual(replayTrace(trace, { hardware: vtdServer }).iotlb);
      expect(result.inexact).toBe(0);
      const at = result.curve.findIndex((point) => point.entries === 256);
      const full = withSettings(vtdServer, ['iotlb.sets=1', 'iotlb.ways=256']);
      expect(result.curve[at]).toMatchObject({ ...replayTrace(trace, { hardware: full }).iotlb, error: null });
      for (const parts of [result.devices, result.domains]) {
        expect(parts.reduce((sum, part) => sum + part.lookups, 0)).toBe(result.lookups);
        expect(parts.reduce((sum, part) => sum + (part.misses[at] ?? 0), 0)).toBe(result.curve[at]?.misses);
      }
      const geometry = result.associativity.find(({ ways }) => ways === 4)?.points.find(({ sets }) => sets === 64);
      expect(geometry?.misses).toBe(result.chosen.iotlb?.misses);
      expect(geometry?.conflict).toBe(result.chosen.iotlb?.causes.conflict);
    });
  });

  test('hardware that is none of the curve is still replayed, and told', () => {
    withTrace('vtd-vfio-7.2.iorr', (trace) => {
      const result = analyzeIotlb(trace, { hardware: qemuVtd });
      expect(result.chosen).toMatchObject({ sets: null, entries: 1024, onCurve: false });
      expect(result.chosen.iotlb).toEqual(replayTrace(trace, { hardware: qemuVtd }).iotlb);
      expect(result.caveats.join()).toContain('the IOTLB of qemu-vtd is none');
    });
  });

  test('text and page name the chosen geometry', () => {
    withTrace('vtd-vfio-7.2.iorr', (trace) => {
      const result = analyzeIotlb(trace, { hardware: vtdServer });
      const text = iotlbText('run.iorr', result);
      expect(text).toContain('IOTLB  run.iorr  on vtd-64x4: 64 sets × 4 ways');
      expect(text).toContain('<- as many as chosen');
      const page = iotlbHtml(result, { file: '<run>', version: '0', health: EMPTY_HEALTH });
      expect(page).toContain('&lt;run&gt;');
      expect(chartsOf(page)[0]?.mark?.label).toBe('64 sets × 4 ways');
    });
  });
});

describe('where one stack does not tell', () => {
  test('every size is replayed', () => {
    const trace = skewed(4000, 400, true);
    const result = analyzeIotlb(trace, { hardware: vtdServer });
    expect(result.separate).toBe(true);
    expect(result.inexact).toBeGreaterThan(0);
    for (const { entries, lookups, hits, misses, causes } of result.curve.slice(0, 6)) {
      const hardware = withSettings(vtdServer, ['iotlb.sets=1', `iotlb.ways=${entries}`]);
      expect({ lookups, hits, misses, causes }).toEqual(replayTrace(trace, { hardware }).iotlb);
    }
    expect(result.caveats.join()).toContain('each size was replayed by itself');
  });
});

describe('of a sample', () => {
  const trace = skewed(300_000, 20_000, false);
  const exact = analyzeIotlb(trace, { hardware: vtdServer });

  test.each([0.05, 0.2])('of %d of the pages: errors are what they are told to be', (rate) => {
    const found = [1, 2, 3, 4, 5, 6].map((seed) =>
      analyzeIotlb(trace, { hardware: vtdServer, sample: { pages: pageSample(rate, seed), seed } }),
    );
    let inside = 0;
    let told = 0;
    for (const { curve, lookups, sample } of found) {
      expect(lookups).toBe(exact.lookups);
      expect(sample?.lookups).toBeLessThan(exact.lookups * rate * 2);
      for (const point of curve) {
        const truth = exact.curve.find(({ entries }) => entries === point.entries);
        if (truth === undefined) continue;
        told++;
        expect(Math.abs(point.misses - truth.misses) / truth.misses).toBeLessThan(0.15);
        if (Math.abs(point.misses - truth.misses) <= 3 * (point.error ?? 0) + 0.01 * truth.misses) inside++;
      }
    }
    expect(told).toBeGreaterThan(30);
    expect(inside / told).toBeGreaterThan(0.9);
  });

  test('sizes of which too little is seen are left out; the same seed, the same result', () => {
    const options = { hardware: vtdServer, sample: { pages: pageSample(0.05, 1), seed: 1 } };
    const once = analyzeIotlb(trace, options);
    expect(once.curve[0]?.entries).toBeGreaterThanOrEqual(200);
    expect(once.chosen.iotlb).toBeNull();
    expect(analyzeIotlb(trace, options)).toEqual(once);
  });
});

describe('knee', () => {
  const points = [1, 2, 4, 8, 16, 32].map((entries, i) => ({
    entries,
    lookups: 100,
    misses: [90, 80, 20, 18, 17, 16][i]!,
  }));

  test('is where larger sizes stop to pay', () => {
    expect(kneeOf(points)).toEqual({ entries: 4, missRatio: 0.2 });
    expect(kneeOf(points.map((point) => ({ ...point, misses: 50 })))).toBeNull();
    expect(kneeOf([])).toBeNull();
  });

  test('shares are of what the largest size hits', () => {
    expect(reachOfShare(points, 0.5)).toBe(4);
    expect(reachOfShare(points, 1)).toBe(32);
    expect(reachOfShare([{ entries: 1, lookups: 5, misses: 5 }], 0.5)).toBeNull();
  });
});
