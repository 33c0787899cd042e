import { createHash } from 'node:crypto';
import type { CostProfile } from '../costs/cost-profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import type { TenantOptions } from '../tenants/tenant-names.ts';

/** What is asked of every point alike. Plain data. */
export interface SweepQuestion {
  /** Before the point's own values. */
  readonly hardware: HardwareProfile;
  readonly profile: CostProfile;
  /** `name=value`, of parameters that are the same everywhere. */
  readonly settings: readonly string[];
  /**
   * `misses`: lookups and misses, counted in WebAssembly where hardware and trace allow; `iotlb`: misses by cause. Many points can
   * share a pass for these. `all`: what a replay tells; of designs always that.
   */
  readonly counts: 'misses' | 'iotlb' | 'all';
  /** `recorded`, or an access model. */
  readonly access?: string;
  readonly seed: number;
  readonly driver?: string;
  /** How tenants differ, where their number varies. */
  readonly clones?: Pick<TenantOptions, 'pages' | 'spreadNs'>;
}

/** Values of a point by parameter: numbers, and names of designs, paths and hardware. */
export type SweepValues = { readonly [parameter: string]: number | string };

/** Parameters that are none of the hardware, of costs or of a design; all others are set as with `--set`. */
export const SWEPT = { design: 'design', path: 'path', cores: 'cores', tenants: 'tenants' } as const;

/** One run of a sweep: all that its figures depend on but for the trace, which it names by its content. Plain data. */
export interface SweepPoint {
  /** Hash of all else in it: equal points have equal results, wherever they are run. */
  readonly id: string;
  /** Of the trace. */
  readonly trace: string;
  readonly version: string;
  readonly question: SweepQuestion;
  readonly values: SweepValues;
}

/** Figures by name, `null` where the trace does not tell. */
export type SweepMetrics = { readonly [metric: string]: number | null };

/** What came out of a point. */
export interface SweepResult {
  readonly id: string;
  readonly metrics: SweepMetrics;
  /** What the figures rest on. */
  readonly caveats: readonly string[];
}

/** One list of values of a parameter. */
export interface SweepParameter {
  readonly name: string;
  readonly values: readonly (number | string)[];
}

/** A point with its id. `trace`: hash of the trace's content; `version`: of the program. */
export function sweepPoint(trace: string, version: string, question: SweepQuestion, values: SweepValues): SweepPoint {
  const text = JSON.stringify([trace, version, question, Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))]);
  return { id: createHash('sha256').update(text).digest('hex'), trace, version, question, values };
}

/** The cross product of lists of values, the last one fastest. */
export function crossProduct(parameters: readonly SweepParameter[]): readonly SweepValues[] {
  let product: readonly SweepValues[] = [{}];
  for (const { name, values } of parameters) {
    product = product.flatMap((before) => values.map((value) => ({ ...before, [name]: value })));
  }
  return product;
}
