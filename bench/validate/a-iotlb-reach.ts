import { fitReach } from '../../replay/calibrate/reach-fit.ts';
import type { ReachPointResult, ReachResult } from '../../replay/calibrate/reach-fit.ts';
import { validationLine } from './line.ts';
import type { ValidationLine, ValidationSection } from './line.ts';
import { PCIE_BENCH_POINTS, PCIE_BENCH_SOURCE } from './published/pcie-bench.ts';

/** What the short form goes through: the family that fits, and its counterpart. */
const SHORT_FAMILIES = ['one-set', 'one-set, any order'];

/** Windows that the values are fitted on: the last without misses, the two behind it, the largest. */
const FITTED = [262_144, 524_288, 1_048_576, 67_108_864];

async function fit(short: boolean): Promise<ReachResult> {
  const curve = { points: PCIE_BENCH_POINTS, series: 'bdw-iommu-nosp DWarm' };
  const result = await fitReach(curve, { seed: 1, windows: FITTED, ...(short ? { families: SHORT_FAMILIES } : {}) });
  if (result === undefined) throw new RangeError('nobody aborts this fit');
  return result;
}

function lineOf(point: ReachPointResult, { fitted, tolerance }: ReachResult): ValidationLine {
  const { window, what, measured, model, fitted: seen } = point;
  const rate = what === 'throughput';
  return validationLine({
    id: `A.${what}.${window / 1024}K`,
    what: `${rate ? 'reads per second' : 'average latency of single reads'}, window ${window / 1024} KiB`,
    unit: rate ? 'million/s' : 'ns',
    published: rate ? measured / 1e6 : measured,
    predicted: rate ? model / 1e6 : model,
    tolerance: rate ? tolerance.throughput : tolerance.latency,
    status: seen ? 'fitted' : 'predicted',
    fittedOn: [`windows of ${FITTED.map((bytes) => bytes / 1024).join(', ')} KiB`],
    why: `four values on ${FITTED.length} windows: ${fitted.map(({ name, value }) => `${name} ${value}`).join(', ')}`,
  });
}

/** Values and what they rest on; kept from the run, so that the notes need no second one. */
function notesOf(result: ReachResult): readonly string[] {
  const { geometry, fitted, maxErrors, notes, families } = result;
  const values = fitted.map(({ name, value, unit, interval }) => {
    return `${name} ${value} ${unit}${interval === undefined ? '' : ` (holds from ${interval[0]} to ${interval[1]})`}`;
  });
  return [
    `${geometry.entries} entries, ${geometry.family}; ${values.join('; ')}; a read without a walk as measured with the IOMMU off`,
    `largest errors: throughput ${percent(maxErrors.throughput)}, latency ${percent(maxErrors.latency)}`,
    `best of each family, throughput and latency: ${families.map(({ name, throughput, latency }) => `${name} ${percent(throughput)}, ${percent(latency)}`).join('; ')}`,
    ...notes,
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

/** IOTLB reach. */
export const iotlbReachSection: ValidationSection = {
  name: 'A',
  title: 'IOTLB reach: one geometry for throughput and latency',
  source: PCIE_BENCH_SOURCE,
  run: async (short) => {
    const result = await fit(short);
    NOTES.set(short, notesOf(result));
    return result.points.map((point) => lineOf(point, result));
  },
  notes: () => NOTES.get(false) ?? NOTES.get(true) ?? [],
};

/** Of the newest run, by `short`. */
const NOTES = new Map<boolean, readonly string[]>();
