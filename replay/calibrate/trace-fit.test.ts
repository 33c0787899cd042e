import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { ioctlNumber } from '../../traces/ioctl-requests.ts';
import { DIALECT, STREAM_ID } from '../../traces/schema.ts';
import { Random } from '../../traces/random.ts';
import { genericServer } from '../costs/generic-server.ts';
import { SketchedTrace } from '../engine/testing/sketched-trace.ts';
import { estimateLine, estimateMedian, medianOf } from './robust-fit.ts';
import { fitTrace } from './trace-fit.ts';

const OPTIONS = { source: 'made.iorr', base: genericServer, seed: 1 };
/** VT-d: IOTLB of a domain, and a wait (VT-d spec 6.5.2.3, 6.5.2.8). */
const IOTLB = 0x4_0022n;
const WAIT = 5n;

/** Submissions of 1 to 4 commands: 700 ns to the first, 250 ns each, 400 ns for the wait, 90 ns until the CPU goes on. */
function submissions(): SketchedTrace['trace'] {
  const { trace } = new SketchedTrace();
  let now = 1000;
  for (let i = 0; i < 60; i++) {
    const submitted = now;
    now += 700;
    const command = (word: bigint): void => {
      const row = trace.begin(STREAM_ID.inv, now, 0, 1);
      const { columns } = trace.rows.inv;
      columns.dialect[row] = DIALECT.vtd;
      columns.w0Lo[row] = Number(BigInt.asIntN(32, word));
      columns.w0Hi[row] = Number(BigInt.asIntN(32, word >> 32n));
      columns.lagLo[row] = now - submitted;
      columns.lagHi[row] = 0;
    };
    for (let k = 0; k <= i % 4; k++) {
      if (k > 0) now += 250;
      command(IOTLB);
    }
    now += 400;
    command(WAIT);
    now += 90;
    trace.begin(STREAM_ID.mark, now, 0, 1);
    now += 5000;
  }
  return trace;
}

describe('what durations in a trace tell', () => {
  test('the steps of a submission', async () => {
    const result = await fitTrace(submissions(), OPTIONS);
    const costs = Object.fromEntries(result?.costs.map(({ name, value }) => [name, value]) ?? []);
    expect(costs).toEqual({ 'queue.iotlb': 250, 'queue.wait': 400, 'queue.fetch': 450, 'cpu.resume': 90 });
    const measured = Object.fromEntries(result?.measurements.map(({ name, value }) => [name, value]) ?? []);
    expect(measured).toEqual({ 'submission.wait': 1475, 'submission.fixed': 850, 'submission.command': 250 });
    expect(result?.kept.map(({ name }) => name)).not.toContain('queue.wait');
    expect(result?.kept.length).toBe(genericServer.parameters.length - 4);
    for (const { interval, value, n, source } of result?.costs ?? []) {
      expect(interval).toEqual([value, value]);
      expect(n).toBeGreaterThan(10);
      expect(source).toContain('made.iorr: ');
    }
  });

  test('calls: a fixed part and a slope over pages, with outliers', async () => {
    const { trace } = new SketchedTrace();
    const random = new Random(3);
    for (let i = 0; i < 300; i++) {
      const pages = 1 + random.below(64);
      const row = trace.begin(STREAM_ID.ioctl, 1e6 * (i + 1), 0, 1);
      const { columns } = trace.rows.ioctl;
      const ns = i % 10 === 0 ? 5_000_000 : 2000 + 30 * pages + random.below(20);
      columns.request[row] = ioctlNumber('IOMMU_IOAS_MAP') ?? 0;
      columns.durationLo[row] = ns;
      columns.durationHi[row] = 0;
      columns.errno[row] = i === 7 ? 14 : 0;
      const struct = new Uint8Array(40);
      new DataView(struct.buffer).setUint32(24, pages * 4096, true);
      trace.setBytes(columns.before, row, struct);
    }
    const result = await fitTrace(trace, OPTIONS);
    const by = new Map(result?.measurements.map((parameter) => [parameter.name, parameter]));
    expect(by.get('ioctl.IOMMU_IOAS_MAP')?.n).toBe(299);
    const slope = by.get('ioctl.IOMMU_IOAS_MAP.page');
    const fixed = by.get('ioctl.IOMMU_IOAS_MAP.fixed');
    expect(slope?.value).toBeGreaterThan(29);
    expect(slope?.value).toBeLessThan(31);
    expect(fixed?.value).toBeGreaterThan(1980);
    expect(fixed?.value).toBeLessThan(2040);
    expect(slope?.interval?.[0]).toBeLessThanOrEqual(30);
    expect(slope?.interval?.[1]).toBeGreaterThanOrEqual(30);
    expect(result?.costs).toEqual([]);
    expect(result?.kept).toEqual(genericServer.parameters);
  });

  test('a recorded guest: same seed, same figures; an abort gives none', async () => {
    const file = join(import.meta.dirname, '../../traces/corpus/vtd-pri-pasid-7.2.iorr');
    const fit = async (signal?: AbortSignal) => {
      const trace = openTrace(file);
      try {
        return await fitTrace(trace, { ...OPTIONS, ...(signal === undefined ? {} : { signal }) });
      } finally {
        trace.close();
      }
    };
    const result = await fit();
    expect(result?.costs.map(({ name }) => name)).toContain('queue.wait');
    expect(result?.measurements.find(({ name }) => name === 'page-request')?.n).toBe(735);
    expect(await fit()).toEqual(result);
    expect(await fit(AbortSignal.abort())).toBeUndefined();
  });

  test('a trace without durations is refused', async () => {
    const { trace } = new SketchedTrace();
    trace.begin(STREAM_ID.mark, 5, 0, 1);
    await expect(fitTrace(trace, OPTIONS)).rejects.toThrow(expect.objectContaining({ code: 'STREAM_MISSING' }));
  });
});

describe('robust fits', () => {
  test('medians and their intervals', () => {
    expect(medianOf([3, 1, 2])).toBe(2);
    expect(medianOf([4, 1, 2, 3])).toBe(2.5);
    const random = new Random(1);
    const values = Array.from({ length: 400 }, () => random.unit());
    const { value, interval, n } = estimateMedian(values, 4000, random);
    expect(value).toBeCloseTo(0.5, 1);
    expect(interval[0]).toBeLessThan(value);
    expect(interval[1]).toBeGreaterThan(value);
    expect(interval[1] - interval[0]).toBeLessThan(0.2);
    expect(n).toBe(4000);
  });

  test('no line where all sizes are one', () => {
    expect(estimateLine([1, 2, 3, 4], [2, 2, 2, 2], 4, new Random(1))).toBeUndefined();
  });
});
