import type { ProfileParameter } from '../../replay/results.ts';
import type { SweepValues } from '../../replay/sweep/sweep-point.ts';
import type { Fairness } from '../../replay/tenants/fairness.ts';
import type { Resource } from './binding.ts';
import type { OverflowTail } from './overflow-tail.ts';
import type { MetricUnit } from './plan-metric.ts';
import type { ParameterKind } from './plan-parameters.ts';
import type { SearchMethod } from './search.ts';

export interface PlannedGoal {
  readonly text: string;
  readonly metric: string;
  readonly statistic: string;
  readonly operator: string;
  readonly limit: number;
  readonly unit: MetricUnit;
}

/** A goal at a setting. */
export interface GoalOutcome {
  readonly goal: string;
  /** Null where the trace does not tell, or (`unbounded`) where there is no end. */
  readonly value: number | null;
  readonly unbounded: boolean;
  readonly holds: boolean;
  /** Value less limit, so that it is above 0 on the side where the goal holds. */
  readonly margin: number | null;
  /** Part of what the goal leaves that is not used: 0 at the limit, below 0 beyond. */
  readonly headroom: number | null;
}

export interface PlannedSetting {
  readonly values: SweepValues;
  readonly tenants: number;
  readonly holds: boolean;
  readonly goals: readonly GoalOutcome[];
}

/** A setting with less of one parameter. */
export interface SmallerSetting extends PlannedSetting {
  readonly parameter: string;
}

/** The same setting under more load. */
export interface MoreLoad {
  readonly what: string;
  readonly goals: readonly GoalOutcome[];
  /** The goal that is worst off, of those that do not hold. */
  readonly breaks: string | null;
}

/** What meets the goals with so many tenants. */
export interface PlanAnswer {
  readonly tenants: number;
  /** Null where no setting that was asked for does. */
  readonly chosen: PlannedSetting | null;
  /** Where there is none: the setting that comes nearest. */
  readonly closest: PlannedSetting | null;
  readonly smaller: readonly SmallerSetting[];
  /** What would be the next to give way: the goal with least headroom, and what is fullest. */
  readonly binds: {
    readonly goal: string | null;
    readonly headroom: number | null;
    readonly resources: readonly Resource[];
    readonly misses: string | null;
  } | null;
  readonly moreLoad: MoreLoad | null;
  readonly method: SearchMethod;
  readonly refuted: readonly string[];
  /** In the order of cost. */
  readonly evaluated: readonly PlannedSetting[];
  readonly fairness: Fairness | null;
  readonly overflow: OverflowTail | null;
  /** The most tenants that the setting holds for, and the next number, for which it does not (null: none up to the most asked for). */
  readonly until: { readonly holds: number; readonly breaks: number | null } | null;
}

/** What `iorr plan` answers. */
export interface PlanResult {
  readonly hardware: string;
  readonly profile: string;
  /** Null: the recorded commands. */
  readonly design: string | null;
  readonly goals: readonly PlannedGoal[];
  readonly vary: readonly {
    readonly name: string;
    readonly kind: ParameterKind;
    readonly values: readonly (number | string)[];
  }[];
  readonly answers: readonly PlanAnswer[];
  /** Offsets of tenants in time are spread over this; null without tenants. */
  readonly spreadNs: number | null;
  readonly evaluations: number;
  readonly readings: number;
  /** At the first answer. */
  readonly parameters: readonly ProfileParameter[];
  readonly caveats: readonly string[];
}
