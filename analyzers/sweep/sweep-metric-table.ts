import { UNKNOWN, formatShare } from '../report/format-units.ts';
import { formatUnit } from '../report/unit-format.ts';
import type { UnitName } from '../report/unit-format.ts';

/** A figure as it is shown: its title and its unit. */
export interface ShownMetric {
  readonly name: string;
  readonly title: string;
  readonly unit: UnitName;
}

/** Those that matter most first; what is not listed has its own name and is a count. */
const SHOWN: readonly ShownMetric[] = [
  { name: 'missRatio', title: 'miss ratio', unit: 'share' },
  { name: 'cpuNs', title: 'CPU time', unit: 'ns' },
  { name: 'submissionsPerSecond', title: 'submissions/s', unit: 'count' },
  { name: 'pageSeconds', title: 'page-seconds', unit: 'page-seconds' },
  { name: 'commands', title: 'commands', unit: 'count' },
  { name: 'stallNs', title: 'device stalls', unit: 'ns' },
  { name: 'submitP99Ns', title: 'submit p99', unit: 'ns' },
  { name: 'exposureP99Ns', title: 'exposure p99', unit: 'ns' },
  { name: 'queueUtilisation', title: 'queue busy', unit: 'share' },
  { name: 'lockUtilisation', title: 'lock busy', unit: 'share' },
  { name: 'relativeSpeed', title: 'speed to one core', unit: 'times' },
];

/** Figures of a sweep, those that matter most first. */
export function shownMetrics(names: readonly string[]): readonly ShownMetric[] {
  const known = SHOWN.filter(({ name }) => names.includes(name));
  const others = names.filter((name) => !SHOWN.some((one) => one.name === name));
  return [...known, ...others.map((name) => ({ name, title: name, unit: 'count' as const }))];
}

/** A figure in a table, where shares stand below each other. */
export function shownValue({ unit }: ShownMetric, value: number | null): string {
  if (value === null) return UNKNOWN;
  return unit === 'share' ? formatShare(value, 1) : formatUnit(unit, value);
}
