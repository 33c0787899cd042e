import { formatCount, formatDecimal, formatNs, formatShare } from '../report/format-units.ts';

/** A figure as it is shown: its title, and how. */
export interface ShownMetric {
  readonly name: string;
  readonly title: string;
  readonly format: (value: number | null) => string;
}

function share(value: number | null): string {
  return formatShare(value, 1);
}

/** Those that matter most first; what is not listed has its own name and is a count. */
const SHOWN: readonly ShownMetric[] = [
  { name: 'missRatio', title: 'miss ratio', format: share },
  { name: 'cpuNs', title: 'CPU time', format: formatNs },
  { name: 'submissionsPerSecond', title: 'submissions/s', format: formatCount },
  { name: 'pageSeconds', title: 'page-seconds', format: formatDecimal },
  { name: 'commands', title: 'commands', format: formatCount },
  { name: 'stallNs', title: 'device stalls', format: formatNs },
  { name: 'submitP99Ns', title: 'submit p99', format: formatNs },
  { name: 'exposureP99Ns', title: 'exposure p99', format: formatNs },
  { name: 'queueUtilisation', title: 'queue busy', format: share },
  { name: 'lockUtilisation', title: 'lock busy', format: share },
  { name: 'relativeSpeed', title: 'speed to one core', format: formatDecimal },
];

/** Figures of a sweep, those that matter most first. */
export function shownMetrics(names: readonly string[]): readonly ShownMetric[] {
  const known = SHOWN.filter(({ name }) => names.includes(name));
  const others = names.filter((name) => !SHOWN.some((one) => one.name === name));
  return [...known, ...others.map((name) => ({ name, title: name, format: formatCount }))];
}
