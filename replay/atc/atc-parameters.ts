import type { ProfileParameter } from '../results.ts';

/** How devices answer ATC invalidations, beside what the cost profile says of the mean (`queue.device-tlb`). */
export const ATC_PARAMETERS: readonly ProfileParameter[] = [
  {
    name: 'atc.spread',
    value: 0,
    unit: 'share',
    source: 'devices differ: each has its own latency, up to so much above the mean of the cost profile',
    standing: 'assumed',
  },
  {
    name: 'atc.tail',
    value: 0,
    unit: 'ns',
    source: 'mean of an exponential part that each answer has on top',
    standing: 'assumed',
  },
  {
    name: 'atc.timeout-every',
    value: 0,
    unit: 'commands',
    source: 'fault injection: a device leaves one in so many commands unanswered; 0: none',
    standing: 'assumed',
  },
  {
    name: 'atc.failing-device',
    value: -1,
    unit: 'requester id',
    source: 'fault injection: the device that does so; -1: all of them',
    standing: 'assumed',
  },
  {
    name: 'atc.timeout',
    value: 60_000,
    unit: 'ms',
    source: 'PCIe allows a device 60 s (and 50% more) for an invalidation; drivers may give up sooner (SMMUv3: 1 s)',
    standing: 'assumed',
  },
];

/** The value of one: the one given, else the table's. */
export function atcParameter(given: ReadonlyMap<string, number>): (name: string) => number {
  return (name) => {
    const value = given.get(name) ?? ATC_PARAMETERS.find((parameter) => parameter.name === name)?.value;
    if (value === undefined) throw new RangeError(`no parameter ${name}`);
    return value;
  };
}

/** The parameters with the values that were given. */
export function atcParameterTable(given: ReadonlyMap<string, number>): readonly ProfileParameter[] {
  return ATC_PARAMETERS.map((parameter): ProfileParameter => {
    const value = given.get(parameter.name);
    return value === undefined ? parameter : { ...parameter, value, source: 'set by the user', standing: 'assumed' };
  });
}
