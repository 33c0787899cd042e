import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IorrError } from '../../traces/errors.ts';
import { parseReachCurve } from './reach-curve.ts';

const WINDOWS = [4096, 65536, 262144, 1048576];
const plain = WINDOWS.map((window, i) => ({ window, transactionsPerSecond: 1e6 / (i + 1), averageNs: 400 + i }));

function test64(scale: number): Record<string, Record<string, unknown>> {
  const series = Object.fromEntries(WINDOWS.map((window) => [window, 1e7 * scale]));
  return { DWarm: series, Cold: Object.fromEntries(WINDOWS.map((window) => [window, 5e6 * scale])) };
}

function latencies(base: number): Record<string, unknown> {
  return { DWarm: Object.fromEntries(WINDOWS.map((window) => [window, { avg: base, med: base, p95: base }])) };
}

const nested = {
  box: { bw_dma_rd_rnd_64: test64(3), lat_cmd_rd_rnd_64: latencies(400) },
  'box-iommu': {
    bw_dma_wr_rnd_64: test64(9),
    bw_dma_rd_rnd_8: test64(7),
    bw_dma_rd_rnd_64: test64(1),
    lat_cmd_rd_rnd_64: latencies(410),
  },
};

describe('reach curves', () => {
  test('a plain list, or one in an object; ascending', () => {
    const curve = parseReachCurve(JSON.stringify([...plain].reverse()));
    expect(curve.series).toBe('');
    expect(curve.points.map(({ window }) => window)).toEqual(WINDOWS);
    expect(curve.points[1]).toEqual({ window: 65536, transactionsPerSecond: 5e5, averageNs: 401, offNs: undefined });
    expect(parseReachCurve(JSON.stringify({ points: plain }))).toEqual(curve);
  });

  test("pcie-bench's machines: reads of 64 bytes, the one with an IOMMU, beside it the one without", () => {
    const curve = parseReachCurve(JSON.stringify(nested));
    expect(curve.series).toBe('box-iommu DWarm');
    expect(curve.points[0]).toEqual({ window: 4096, transactionsPerSecond: 1e7, averageNs: 410, offNs: 400 });
    const cold = parseReachCurve(JSON.stringify(nested), { state: 'Cold' });
    expect(cold.points[0]).toEqual({
      window: 4096,
      transactionsPerSecond: 5e6,
      averageNs: undefined,
      offNs: undefined,
    });
    const off = parseReachCurve(JSON.stringify(nested), { machine: 'box' });
    expect(off.points[3]).toEqual({ window: 1048576, transactionsPerSecond: 3e7, averageNs: 400, offNs: undefined });
  });

  test.each([
    ['no JSON', '{'],
    ['a number', '7'],
    ['no machine', '{}'],
    ['an odd window', JSON.stringify([{ ...plain[0], window: 1.5 }])],
    ['a window beyond all memory', JSON.stringify([{ ...plain[0], window: 2 ** 35 }])],
    ['a negative rate', JSON.stringify([{ window: 4096, transactionsPerSecond: -1 }])],
    ['a text for a number', JSON.stringify([{ window: 4096, averageNs: '1' }])],
    ['no number', JSON.stringify([{ window: 4096, averageNs: Number.NaN }])],
    ['a window twice', JSON.stringify([...plain, plain[0]])],
    ['too few windows', JSON.stringify(plain.slice(1))],
    [
      'too many points',
      JSON.stringify(Array.from({ length: 300 }, (_, i) => ({ window: 4096 * (i + 1), averageNs: 1 }))),
    ],
  ])('%s is refused', (_, text) => {
    expect(() => parseReachCurve(text)).toThrow(IorrError);
  });

  test('a series that is not there suggests those that are', () => {
    expect(() => parseReachCurve(JSON.stringify(nested), { machine: 'bx' })).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: 'it has box, box-iommu' }),
    );
    expect(() => parseReachCurve(JSON.stringify(plain), { state: 'DWarm' })).toThrow(/no series/);
  });

  test('any JSON is a curve or an IorrError', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        try {
          expect(parseReachCurve(JSON.stringify(value)).points.length).toBeGreaterThan(3);
        } catch (error) {
          expect(error).toBeInstanceOf(IorrError);
        }
      }),
    );
    const odd = '{"__proto__": {"bw_x_rd_64": {"DWarm": {"4096": 1}}}, "constructor": 1}';
    expect(() => parseReachCurve(odd)).toThrow(IorrError);
  });
});
