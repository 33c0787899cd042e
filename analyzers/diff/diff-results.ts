import { IorrError } from '../../traces/errors.ts';
import { benchRows, listRows, measureBench } from './diff-bench.ts';
import type { BenchDiffOptions } from './diff-bench.ts';
import type { TraceComparison } from './diff-traces.ts';
import { changeOf, judge } from './judge.ts';
import type { Measured } from './judge.ts';
import { resultFigures } from './result-figures.ts';
import type { ResultFigure } from './result-figures.ts';
import type { ResultFile } from './result-file.ts';

/** Compares two results of one command. Throws `USAGE` where they are of different ones, `FORMAT_EMPTY` without a figure in both. */
export function diffResults(a: ResultFile, b: ResultFile, options: BenchDiffOptions): TraceComparison {
  if (a.command !== b.command) {
    const named = ({ command }: ResultFile): string => (command === 'github' ? 'a list of benchmarks' : `'${command}'`);
    throw new IorrError('USAGE', `two results of one command expected, found ${named(a)} and ${named(b)}`, {
      hint: `make both with the same command, for example iorr ${b.command === 'github' ? 'bench --github' : `${b.command} FILE --json`}`,
    });
  }
  const bench = a.command === 'bench' || a.command === 'github';
  const measured = bench ? ofBench(a, b, options) : ofFigures(resultFigures(a.result), resultFigures(b.result));
  if (measured.length === 0) {
    throw new IorrError(
      'FORMAT_EMPTY',
      `the two results of ${a.command} have no figure in common that is better or worse`,
      {
        place: { file: b.file },
        hint: 'compare results of replay, compare, verify, analyze, sweep or bench, or two traces',
      },
    );
  }
  const sameWork = !bench && JSON.stringify(workOf(a)) === JSON.stringify(workOf(b));
  const caveats: string[] = [];
  if (!bench && !sameWork) {
    caveats.push(
      "The inputs differ in events: figures for each unmap, lookup or command compare, totals are of different work. How much they vary by themselves, results don't tell: two traces do.",
    );
  }
  const changed = changedOptions(a, b);
  if (changed.length > 0) caveats.push(`Options differ: ${changed.join('; ')}.`);
  const machines = [a, b].map(({ result }) => machineOf(result));
  if (machines[0] !== machines[1]) caveats.push(`Measured on different machines: ${machines[0]} and ${machines[1]}.`);
  const names = (file: ResultFile): readonly string[] => figureNames(file);
  const [left, right] = [names(a), names(b)];
  const only = (of: readonly string[], other: readonly string[]): number =>
    of.filter((name) => !other.includes(name)).length;
  if (only(left, right) > 0) caveats.push(`${only(left, right)} figures of the first result are not in the second.`);
  if (only(right, left) > 0) caveats.push(`${only(right, left)} figures of the second result are not in the first.`);
  return {
    alignment: bench ? 'by names of benchmarks' : 'by names in the results',
    sameWork,
    metrics: judge(measured, options.threshold),
    missing: [],
    caveats,
  };
}

function ofBench(a: ResultFile, b: ResultFile, options: BenchDiffOptions): readonly Measured[] {
  const rows = a.command === 'bench' ? benchRows : listRows;
  return measureBench(rows(a.result), rows(b.result), options);
}

/** Counts have no error; a time that was measured once has one that nobody knows. */
function ofFigures(a: readonly ResultFigure[], b: readonly ResultFigure[]): readonly Measured[] {
  const ofB = new Map(b.map((figure) => [figure.name, figure]));
  return a.flatMap((left): Measured[] => {
    const right = ofB.get(left.name);
    if (right === undefined) return [];
    const { name, unit, better, kind } = left;
    const change = changeOf(left.value, right.value);
    const identical = left.value === right.value;
    const basis = identical ? 'identical' : kind === 'count' ? 'exact' : 'none';
    const facts = {
      name,
      unit,
      better,
      kind,
      a: left.value,
      b: right.value,
      basis,
      noise: null,
      mannWhitney: null,
    } as const;
    return [{ ...facts, interval: basis === 'none' ? null : [change, change], pAbove: 1, pBelow: 1 }];
  });
}

function figureNames({ command, result }: ResultFile): readonly string[] {
  if (command === 'bench') return benchRows(result).map(({ name }) => name);
  if (command === 'github') return listRows(result).map(({ name }) => name);
  return resultFigures(result).map(({ name }) => name);
}

/** Numbers of events of the inputs: alike where the inputs may be the same. */
function workOf({ inputs }: ResultFile): readonly unknown[] {
  return inputs.map((input) => (input as { readonly events?: unknown } | null)?.events ?? null);
}

const MOST_NAMED = 6;

function changedOptions(a: ResultFile, b: ResultFile): readonly string[] {
  const names = [...new Set([...Object.keys(a.options), ...Object.keys(b.options)])];
  const text = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value));
  return names
    .filter((name) => text(a.options[name]) !== text(b.options[name]))
    .slice(0, MOST_NAMED)
    .map((name) => `${name} ${text(a.options[name])} and ${text(b.options[name])}`);
}

function machineOf(result: unknown): string {
  const { machine } = result as { readonly machine?: { readonly [name: string]: unknown } };
  if (typeof machine !== 'object' || machine === null) return '';
  return `${String(machine['cpu'])}, ${String(machine['cpus'])} CPUs, Node ${String(machine['node'])}`;
}
