import type { Estimate } from '../calibrate/robust-fit.ts';
import type { FileParameter, ProfileDraft } from '../profile-file.ts';
import type { HarvestMeasurement } from './harvest-measurement.ts';

/** Built-in costs under the measured ones. */
const COSTS = 'generic-server';
/** Share of dirty leaves whose figure stands for one dirty leaf's: few enough that each is alone in its cache line. */
const TYPICAL_SHARE = 0.01;

/** A measurement as a profile, named as `iorr compare --dirty` names its parameters. `processor`: where it was made. */
export function harvestProfile(processor: string, measured: HarvestMeasurement): ProfileDraft {
  const { cold, dirty, tableBytes, entries, guestBytes } = measured;
  const gib = guestBytes / 2 ** 30;
  const where = `iorr calibrate --harvest on ${processor.slice(0, 100)}: ${gib} GiB in leaves of 2^${measured.leafShift} bytes`;
  const of = (name: string, { value, interval, n }: Estimate, unit: string, about: string): FileParameter => ({
    name,
    value,
    unit,
    source: `${where}; ${about}`,
    standing: 'measured',
    interval,
    n,
  });
  const entryNs = (tableBytes / entries) * 1e9;
  const one = cold[0]?.rate;
  const all = cold.at(-1)?.rate;
  const typical = dirty.find(({ share }) => share === TYPICAL_SHARE)?.perLeaf;
  const ofDirty: FileParameter[] = [];
  const measurements: FileParameter[] = [];
  if (one !== undefined) {
    ofDirty.push(of('dirty.entry', inverse(one, entryNs), 'ns', 'clean cold tables, one thread, tables included'));
    ofDirty.push(of('dirty.table', { ...one, value: 0, interval: [0, 0] }, 'ns', 'contained in dirty.entry'));
  }
  if (typical !== undefined) ofDirty.push(of('dirty.clear', typical, 'ns', '1 % of the leaves dirty'));
  if (all !== undefined) {
    const about = `${cold.at(-1)?.threads} threads, the most that were tried`;
    ofDirty.push(of('dirty.bandwidth', scaled(all, 1e-9), 'bytes/ns', about));
  }
  for (const { threads, rate, scaling } of cold) {
    measurements.push(of(`harvest.cold@${threads}`, rate, 'bytes/s', `clean cold tables, ${threads} threads`));
    if (threads > 1) measurements.push(of(`harvest.scaling@${threads}`, scaling, 'ratio', 'to one thread'));
  }
  measurements.push(of('harvest.warm', measured.warm, 'bytes/s', 'clean tables in a cache of the core'));
  for (const { share, rate, perLeaf } of dirty.slice(1)) {
    const percent = `${share * 100}%`;
    measurements.push(of(`harvest.dirty@${percent}`, rate, 'bytes/s', `${percent} of the leaves dirty, one thread`));
    measurements.push(of(`harvest.leaf@${percent}`, perLeaf, 'ns', `what a dirty leaf adds where ${percent} are`));
  }
  measurements.push(of('harvest.copy', measured.copy, 'bytes/s', 'the same tables copied by one thread'));
  measurements.push(of('harvest.write', measured.write, 'ns', 'one write to a random leaf: walk and dirty bit'));
  return {
    name: 'harvest',
    summary: `harvests of dirty bits, measured on ${processor.slice(0, 100)}; other costs of ${COSTS}`,
    costs: { base: COSTS, parameters: [] },
    dirty: ofDirty,
    measurements,
  };
}

function inverse({ value, interval, n }: Estimate, of: number): Estimate {
  return { value: of / value, interval: [of / interval[1], of / interval[0]], n };
}

function scaled({ value, interval, n }: Estimate, by: number): Estimate {
  return { value: value * by, interval: [interval[0] * by, interval[1] * by], n };
}
