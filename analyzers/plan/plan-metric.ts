import type { HardwareProfile } from '../../replay/hardware/profile.ts';
import type { CoresPoint, DesignResult, IotlbCounts, ProfileParameter, ReplayResult } from '../../replay/results.ts';
import type { PriRow } from '../../replay/faults/compare-pri.ts';
import type { DirtyRow, DirtyThreads } from '../../replay/dirty/dirty-result.ts';
import type { SweepValues } from '../../replay/sweep/sweep-point.ts';
import type { Fairness } from '../../replay/tenants/fairness.ts';
import type { OverflowTail } from './overflow-tail.ts';

/**
 * What a metric is measured by: `iotlb`, lookups and misses alone; `replay`, the recorded commands; `design`, commands of a
 * design, with time; `tenants`, hits of each tenant; `pri`, service of page requests; `dirty`, harvests and a migration.
 */
export type Study = 'iotlb' | 'replay' | 'design' | 'tenants' | 'pri' | 'dirty';

/** Units of a metric's values. Shares and probabilities are parts of 1. */
export type MetricUnit = 'share' | 'ns' | 'count' | 'probability' | 'number';

/** What was measured at one setting; studies that nobody asked for are not there. */
export interface Measurement {
  readonly values: SweepValues;
  readonly tenants: number;
  readonly durationNs: number;
  readonly iotlb: IotlbCounts | null;
  readonly replay?: ReplayResult;
  readonly design?: DesignResult;
  /** Of the design, where cores are given. */
  readonly cores?: CoresPoint;
  readonly fairness?: Fairness | null;
  readonly pri?: { readonly row: PriRow; readonly tail: OverflowTail };
  readonly dirty?: {
    readonly row: DirtyRow;
    readonly threads: DirtyThreads;
    readonly linkBytesPerSecond: number;
    readonly downtimeLimitNs: number;
  };
  readonly parameters: readonly ProfileParameter[];
  readonly caveats: readonly string[];
}

/** Where a metric's value goes when a parameter grows; undefined: nobody knows, so that all values are to be measured. */
export type Direction = 'up' | 'down' | 'same' | undefined;

/** A figure that goals can be about: one file per member, listed in `plan-metrics.ts`. */
export interface PlanMetric {
  /** As goals write it, in small letters, words with one space. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly unit: MetricUnit;
  readonly better: 'more' | 'less';
  /** Any one of them tells it; the first is the cheapest. */
  readonly studies: readonly Study[];
  /** `p99` and the like; the first is meant where a goal names none. Empty: the metric is one number. */
  readonly statistics: readonly string[];
  direction(parameter: string, hardware: HardwareProfile): Direction;
  /** `--vary` where none is given; undefined: it has to be. */
  vary(hardware: HardwareProfile): string | undefined;
  /** Null where the trace does not tell. */
  value(measured: Measurement, statistic: string): number | null;
}

/** Caches of a unit whose misses never grow with their size: Mattson et al., "Evaluation techniques for storage hierarchies" (1970). */
export function missDirection(parameter: string, hardware: HardwareProfile): Direction {
  const value = (name: string): number | undefined => hardware.parameters.find((one) => one.name === name)?.value;
  if (/^(?:walk-cache\.|context\.|pasid\.|queue\.|cpu\.|prq\.|dirty\.)/.test(parameter)) return 'same';
  if (hardware.iotlb !== 'set-associative' || value('iotlb.replacement') !== 0) return undefined;
  if (parameter === 'iotlb.ways') return 'down';
  // sets picked by low bits: twice as many refine each of them (Hill and Smith, 1989)
  if (parameter === 'iotlb.sets') return value('iotlb.hashed') === 0 ? 'down' : undefined;
  return undefined;
}

/** The usual sizes of an IOTLB to look at. */
export function varyIotlb(hardware: HardwareProfile): string | undefined {
  if (hardware.iotlb === 'none') return undefined;
  if (hardware.iotlb !== 'set-associative') return 'iotlb.capacity=1..65536';
  const sets = hardware.parameters.find(({ name }) => name === 'iotlb.sets')?.value ?? 1;
  return sets > 1 ? 'iotlb.sets=1..16384' : 'iotlb.ways=1..65536';
}

/** The other way round. */
export function opposite(direction: Direction): Direction {
  return direction === 'up' ? 'down' : direction === 'down' ? 'up' : direction;
}
