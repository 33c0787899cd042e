import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import type { HardwareProfile } from '../../replay/hardware/profile.ts';
import type { SweepParameter } from '../../replay/sweep/sweep-point.ts';
import { parseLink } from '../link-rate.ts';
import { sweptParameters } from '../sweep/sweep-values.ts';

/**
 * Parameters that plan varies beside those of `--set`, and what less of a parameter means. `hardware`: larger is more hardware, and
 * the smallest that meets the goals is wanted; `load`: larger is more work, and the largest; `time`: larger is slower hardware, and
 * the slowest; `choice`: names in the order in which they are given, the first that does.
 */
export type ParameterKind = 'hardware' | 'load' | 'time' | 'choice';

interface OwnParameter {
  readonly name: string;
  readonly kind: ParameterKind;
  readonly summary: string;
}

export const PRQ = 'prq.';
export const TENANTS = 'tenants';

export const PLAN_PARAMETERS: readonly OwnParameter[] = [
  { name: 'prq.depth', kind: 'hardware', summary: 'entries of the queue of page requests' },
  { name: 'prq.servers', kind: 'hardware', summary: 'threads that serve page requests' },
  { name: 'prq.outstanding', kind: 'load', summary: 'page requests that a device may have under way' },
  { name: 'prq.speed', kind: 'load', summary: 'times as fast as recorded that page requests come' },
  { name: 'prq.batch', kind: 'hardware', summary: 'responses of one submission' },
  { name: 'prq.prefetch', kind: 'hardware', summary: 'pages that are brought in behind a repaired one' },
  { name: 'prq.queue', kind: 'choice', summary: 'kind of queue' },
  { name: 'prq.service', kind: 'choice', summary: 'service time, as of compare --pri' },
  { name: 'prq.arrivals', kind: 'choice', summary: 'arrivals, as of compare --pri' },
  { name: 'dirty.link', kind: 'hardware', summary: 'rate of the link of a migration' },
  { name: 'dirty.threads', kind: 'hardware', summary: 'threads that harvest' },
  { name: 'dirty.method', kind: 'choice', summary: 'method of dirty tracking, as of compare --dirty' },
  { name: 'design', kind: 'choice', summary: 'invalidation design' },
  { name: 'path', kind: 'choice', summary: 'way of the commands to the hardware' },
  { name: 'cores', kind: 'load', summary: 'cores that submit, of designs' },
  { name: TENANTS, kind: 'load', summary: 'clones of the trace behind one IOMMU' },
];

/** Costs in time: slower hardware is less hardware. */
const TIMES = /^(?:queue\.(?:fetch|iotlb|wait|device-tlb)|cpu\.[a-z-]+|walk\.read)$/;

/** One parameter with its values, hardest to meet goals with first where that is known. */
export interface PlanAxis extends SweepParameter {
  readonly kind: ParameterKind;
}

/** The lists of `--vary name=v1,v2,4..64`. Throws `USAGE`. */
export function planAxes(lists: readonly string[], hardware: HardwareProfile): readonly PlanAxis[] {
  const given = sweptParameters(lists, '--vary');
  const axes = given.map(({ name, values }): PlanAxis => {
    const full = fullName(name, hardware);
    const kind = kindOf(full);
    return { name: full, kind, values: ordered(full, kind, values) };
  });
  const twice = axes.find(({ name }, i) => axes.findIndex((other) => other.name === name) !== i);
  if (twice === undefined) return axes;
  throw new IorrError('USAGE', `--vary names ${twice.name} twice`, { hint: `--vary ${twice.name}=1,2,4` });
}

export function kindOf(name: string): ParameterKind {
  return PLAN_PARAMETERS.find((one) => one.name === name)?.kind ?? (TIMES.test(name) ? 'time' : 'hardware');
}

/** `sets` for `iotlb.sets`, `depth` for `prq.depth`: where only one ends so. Names of `--set` that are neither stay. */
function fullName(name: string, hardware: HardwareProfile): string {
  const own = PLAN_PARAMETERS.map((one) => one.name);
  const all = [...own, ...hardware.parameters.map((one) => one.name)];
  if (all.includes(name)) return name;
  const ending = all.filter((one) => one.endsWith(`.${name}`));
  if (ending.length === 1 && ending[0] !== undefined) return ending[0];
  if (!/^(?:prq|iotlb|walk-cache)\./.test(name) && name.includes('.')) return name;
  const near = nearest(name, [...all, ...all.map((one) => one.slice(one.indexOf('.') + 1))]);
  throw new IorrError('USAGE', `--vary ${name}: nothing is called so`, {
    hint: near === undefined ? `--vary takes ${own.join(', ')} and what --set takes` : `did you mean '${near}'?`,
  });
}

/** The value of a link in bytes a second, of other numbers themselves; names have none. */
export function sizeOf(name: string, value: number | string): number {
  if (name === 'dirty.link') return parseLink(String(value), `--vary ${name}`);
  return typeof value === 'number' ? value : Number.NaN;
}

function ordered(
  name: string,
  kind: ParameterKind,
  values: readonly (number | string)[],
): readonly (number | string)[] {
  if (kind === 'choice') return values;
  const wrong = values.find((value) => Number.isNaN(sizeOf(name, value)));
  if (wrong !== undefined) {
    throw new IorrError('USAGE', `--vary ${name}=${wrong}: a number expected`, { hint: `--vary ${name}=1,2,4..64` });
  }
  const up = values.toSorted((a, b) => sizeOf(name, a) - sizeOf(name, b));
  return kind === 'hardware' ? up : up.toReversed();
}

/**
 * What a setting costs, to order settings by: values of parameters multiplied, as doublings above the smallest. An IOTLB of twice
 * the sets costs as much as one of twice the ways; of loads and times, more is cheaper; choices cost what their place is.
 */
export function costOf(axes: readonly PlanAxis[], indexes: readonly number[]): number {
  return axes.reduce((sum, { name, kind, values }, i) => {
    const at = indexes[i] ?? 0;
    if (kind === 'choice') return sum + at;
    const smallest = Math.min(...values.map((value) => sizeOf(name, value)));
    const size = sizeOf(name, values[at] ?? 0);
    const doublings = Math.log2((size + (smallest <= 0 ? 1 : 0)) / (smallest <= 0 ? smallest + 1 : smallest));
    return sum + (kind === 'hardware' ? doublings : -doublings);
  }, 0);
}
