import type { Trace } from '../../traces/trace.ts';
import { assumedTimes } from '../costs/assumed-times.ts';
import type { CostProfile } from '../costs/cost-profile.ts';
import type { CompareResult, DesignResult } from '../results.ts';
import { compareTrace } from './compare.ts';
import type { CompareOptions } from './compare.ts';

/** How far an assumed parameter is taken to be off, either way. */
const SENSITIVITY_FACTOR = 4;

/** One row under one parameter, from a quarter of its value to four times it. CPU time, in parts of what it was. */
export interface RowSensitivity {
  readonly name: string;
  readonly path: string;
  readonly least: number;
  readonly most: number;
}

export interface ParameterSensitivity {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly rows: readonly RowSensitivity[];
  /** The order of the rows by CPU time is another one at a quarter, or at four times. */
  readonly reorders: boolean;
}

/** What assumed parameters make of a comparison. */
export interface Sensitivity {
  readonly factor: number;
  /** Those that move a row, the one that moves one farthest first. */
  readonly parameters: readonly ParameterSensitivity[];
  /** Assumed parameters of which no row depends. */
  readonly without: readonly string[];
}

/**
 * Compares again with each assumed time at a quarter and at four times its value. Accesses are left out: CPU time does not depend
 * on them. Undefined if it was aborted.
 */
export async function compareSensitivity(
  trace: Trace,
  options: CompareOptions,
  result: CompareResult,
  progress: (done: number, all: number) => void = () => {},
): Promise<Sensitivity | undefined> {
  const assumed = assumedTimes(result.parameters);
  const found: ParameterSensitivity[] = [];
  const without: string[] = [];
  const base = { ...options, access: 'none', cores: [], progress: () => {} };
  for (const [done, parameter] of assumed.entries()) {
    progress(done, assumed.length);
    const runs: (readonly DesignResult[])[] = [];
    for (const value of [parameter.value / SENSITIVITY_FACTOR, parameter.value * SENSITIVITY_FACTOR]) {
      const compared = await compareTrace(trace, changed(base, parameter.name, value));
      if (compared === undefined) return undefined;
      runs.push(compared.designs);
    }
    const rows = rowsOf(result.designs, runs);
    if (rows.every(({ least, most }) => least === 1 && most === 1)) {
      without.push(parameter.name);
      continue;
    }
    const { name, value, unit } = parameter;
    const order = ranking(result.designs);
    found.push({ name, value, unit, rows, reorders: runs.some((run) => ranking(run) !== order) });
  }
  found.sort((a, b) => reach(b) - reach(a));
  return { factor: SENSITIVITY_FACTOR, parameters: found, without };
}

/** The options with one parameter changed: a cost, or one of designs and paths. */
function changed(options: CompareOptions, name: string, value: number): CompareOptions {
  const { profile } = options;
  if (!profile.parameters.some((parameter) => parameter.name === name)) {
    return { ...options, parameters: new Map([...(options.parameters ?? []), [name, value]]) };
  }
  const parameters = profile.parameters.map((parameter) =>
    parameter.name === name ? { ...parameter, value } : parameter,
  );
  const altered: CostProfile = { ...profile, parameters };
  return { ...options, profile: altered };
}

function rowsOf(base: readonly DesignResult[], runs: readonly (readonly DesignResult[])[]): readonly RowSensitivity[] {
  return base.map(({ name, path, cpuNs }, i) => {
    const shares = runs.map((run) => (cpuNs > 0 ? (run[i]?.cpuNs ?? cpuNs) / cpuNs : 1));
    return { name, path, least: Math.min(1, ...shares), most: Math.max(1, ...shares) };
  });
}

/** Names and paths by CPU time. */
function ranking(designs: readonly DesignResult[]): string {
  return designs
    .map(({ name, path, cpuNs }) => ({ row: `${name} ${path}`, cpuNs }))
    .sort((a, b) => a.cpuNs - b.cpuNs || (a.row < b.row ? -1 : 1))
    .map(({ row }) => row)
    .join('\n');
}

function reach({ rows }: ParameterSensitivity): number {
  return Math.max(...rows.map(({ least, most }) => Math.max(most, 1 / least)));
}
