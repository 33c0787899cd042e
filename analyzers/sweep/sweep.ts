import type { MergedSweep } from '../../replay/sweep/merge-results.ts';
import type {
  SweepMetrics,
  SweepParameter,
  SweepPoint,
  SweepQuestion,
  SweepValues,
} from '../../replay/sweep/sweep-point.ts';

/** A point with its figures. */
export interface SweptPoint {
  readonly id: string;
  readonly values: SweepValues;
  readonly metrics: SweepMetrics;
}

/** What `iorr sweep` answers. */
export interface SweepReport {
  /** Hash of the trace's content. */
  readonly trace: string;
  readonly hardware: string;
  readonly profile: string;
  readonly counts: SweepQuestion['counts'];
  readonly parameters: readonly SweepParameter[];
  /** Names of the figures that points have. */
  readonly metrics: readonly string[];
  /** The cross product of the parameters, the last one fastest. */
  readonly points: readonly SweptPoint[];
  readonly caveats: readonly string[];
}

export function sweepReport(
  points: readonly SweepPoint[],
  parameters: readonly SweepParameter[],
  { results }: MergedSweep,
): SweepReport {
  const [first] = points;
  const question = first?.question;
  const metrics = new Set(results.flatMap((result) => Object.keys(result.metrics)));
  const caveats = new Set(results.flatMap((result) => result.caveats));
  const designs = points.some(({ values }) => values['design'] !== undefined);
  return {
    trace: first?.trace ?? '',
    hardware: question?.hardware.name ?? '',
    profile: question?.profile.name ?? '',
    counts: question?.counts ?? 'iotlb',
    parameters,
    metrics: [...metrics],
    points: points.flatMap((point, i) => {
      const result = results[i];
      return result === undefined ? [] : [{ id: point.id, values: point.values, metrics: result.metrics }];
    }),
    caveats: [
      ...caveats,
      ...(designs ? ['what figures of designs rest on is told by iorr compare with the same options'] : []),
    ],
  };
}
