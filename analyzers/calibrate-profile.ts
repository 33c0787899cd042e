import { COST_PROFILES } from '../replay/costs/cost-profiles.ts';
import type { CostProfile } from '../replay/costs/cost-profile.ts';
import type { ReachResult } from '../replay/calibrate/reach-fit.ts';
import type { TraceCalibration } from '../replay/calibrate/trace-fit.ts';
import { HARDWARE } from '../replay/hardware/profiles.ts';
import type { FileParameter, ProfileDraft } from '../replay/profile-file.ts';

/** Built-in costs under those that a fit tells. */
const COSTS = 'generic-server';

/** Costs under other names in a fit. */
const COST_OF: { readonly [name: string]: string } = { 'device.outstanding': 'device.reads' };

/** A fitted geometry as a profile: hardware, what of it are costs, and the rest as measurements. */
export function reachProfile(file: string, base: string, result: ReachResult): ProfileDraft {
  const intervals = new Map(result.fitted.map(({ name, interval }) => [name, interval]));
  const hardware = HARDWARE.find(({ name }) => name === base)?.parameters ?? [];
  const costs = COST_PROFILES.find(({ name }) => name === COSTS)?.parameters ?? [];
  const ofHardware: FileParameter[] = [];
  const ofCosts: FileParameter[] = [];
  const rest: FileParameter[] = [];
  for (const parameter of result.parameters) {
    const withInterval = { ...parameter, interval: intervals.get(parameter.name) };
    const cost = costs.find(({ name }) => name === (COST_OF[parameter.name] ?? parameter.name));
    if (hardware.some(({ name }) => name === parameter.name)) ofHardware.push(withInterval);
    else if (cost === undefined) rest.push(withInterval);
    else ofCosts.push({ ...withInterval, name: cost.name, unit: cost.unit });
  }
  const { entries, ways } = result.geometry;
  const errors = `${percent(result.maxErrors.throughput)} of throughput, ${percent(result.maxErrors.latency)} of latency`;
  return {
    name: nameOf(result.series === '' ? file : result.series),
    summary: `${entries} IOTLB entries, ${ways} ways, fitted to a reach curve; largest error ${errors}`,
    hardware: { base, parameters: ofHardware },
    costs: { base: COSTS, parameters: ofCosts },
    measurements: rest,
  };
}

/** A trace's costs as a profile; what it can't tell is the base's, and says so. */
export function traceProfile(file: string, base: CostProfile, result: TraceCalibration): ProfileDraft {
  const builtIn = COST_PROFILES.find(({ name }) => name === base.name)?.name ?? COSTS;
  const kept = result.kept.map((parameter) => ({
    ...parameter,
    source: `not told by the trace; ${base.name}: ${parameter.source}`.slice(0, 500),
  }));
  return {
    name: nameOf(file),
    summary: `${result.costs.length} costs told by a trace, ${kept.length} of ${base.name}`,
    costs: { base: builtIn, parameters: [...result.costs, ...kept] },
    measurements: result.measurements,
  };
}

/** The last part of a path without its ending. */
function nameOf(path: string): string {
  const last = path.slice(path.lastIndexOf('/') + 1).replace(/\.[a-z]+$/, '');
  return last === '' || last === '-' ? 'calibrated' : last.slice(0, 100);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
