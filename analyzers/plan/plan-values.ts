import { formatCount, formatDecimal, formatNs, formatShare } from '../report/format-units.ts';
import { printable } from '../report/escape.ts';
import type { SweepValues } from '../../replay/sweep/sweep-point.ts';
import type { MetricUnit } from './plan-metric.ts';
import type { GoalOutcome, PlannedGoal, PlannedSetting } from './plan-result.ts';

/** How the values of metrics and settings are shown. */

export function formatMetric(unit: MetricUnit, value: number | null): string {
  switch (unit) {
    case 'ns':
      return value === null || value >= 1 || value === 0 ? formatNs(value) : `${formatDecimal(value)} ns`;
    case 'share':
      return precise(value);
    case 'probability':
      return value === null
        ? formatDecimal(null)
        : value === 0
          ? '0'
          : value >= 0.001
            ? precise(value)
            : value.toExponential(2);
    case 'count':
      return formatCount(value);
    case 'number':
      return formatDecimal(value, 4);
  }
}

/** A share near its limit: enough digits to tell it from 100 %. */
function precise(value: number | null): string {
  if (value === null) return formatShare(null, 1);
  const rest = Math.min(value, 1 - value);
  const digits = rest > 0 && rest < 0.01 ? Math.min(6, Math.ceil(-Math.log10(rest))) : 2;
  return value === 0 || value === 1 ? formatShare(value, 1) : `${(value * 100).toFixed(digits)} %`;
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
