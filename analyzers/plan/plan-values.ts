import { UNKNOWN, formatCount } from '../report/format-units.ts';
import { printable } from '../report/escape.ts';
import { formatUnit } from '../report/unit-format.ts';
import type { SweepValues } from '../../replay/sweep/sweep-point.ts';
import type { MetricUnit } from './plan-metric.ts';
import type { GoalOutcome, PlannedGoal, PlannedSetting } from './plan-result.ts';

/** How the values of metrics and settings are shown. */

export function formatMetric(unit: MetricUnit, value: number | null): string {
  return value === null ? UNKNOWN : formatUnit(unit, value);
}

/** `99.02 %, 0.02 % to spare (1.8 % of what it allows is left)`, or by how much it fails. */
export function outcomeText({ unit }: PlannedGoal, outcome: GoalOutcome): string {
  const { value, unbounded, holds, margin, headroom } = outcome;
  if (unbounded) return 'without end';
  if (value === null) return 'unknown: the trace does not tell';
  const off = margin === null ? '' : `, ${formatMetric(unit, Math.abs(margin))} ${holds ? 'to spare' : 'short'}`;
  const room = headroom === null ? '' : ` (${roomText(headroom)})`;
  return `${formatMetric(unit, value)}${margin === 0 ? ', just at the limit' : `${off}${room}`}`;
}

/** What is left of what a goal allows. */
export function roomText(headroom: number): string {
  if (headroom < 0) return `${times(1 - headroom)} what it allows`;
  const percent = headroom * 100;
  return `${percent >= 10 || percent === 0 ? percent.toFixed(0) : percent.toPrecision(2)} % of what it allows is left`;
}

function times(ratio: number): string {
  return ratio >= 10 ? `${formatCount(ratio)} times` : `${ratio.toPrecision(4)} times`;
}

/** `iotlb.sets=64 iotlb.ways=8`; `as it is` where nothing varies. */
export function valuesText(values: SweepValues): string {
  const entries = Object.entries(values);
  if (entries.length === 0) return 'as it is';
  return entries.map(([name, value]) => `${printable(name, 60)}=${printable(String(value), 60)}`).join(' ');
}

export function settingText({ values, tenants }: PlannedSetting): string {
  const clones = values['tenants'] === undefined && tenants > 1 ? ` with ${tenants} tenants` : '';
  return `${valuesText(values)}${clones}`;
}
