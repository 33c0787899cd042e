import { nearest } from '../../traces/nearest.ts';
import { isCounted } from '../costs/parameter-units.ts';
import type { ProfileParameter } from '../results.ts';
import { batchN } from './batch-n.ts';
import { contiguousIova, contiguousIovaOnly } from './contiguous-iova.ts';
import type { DesignFactory } from './design.ts';
import { hugeIopte } from './huge-iopte.ts';
import { keepWalkCaches } from './keep-walk-caches.ts';
import { linuxLazy } from './linux-lazy.ts';
import { linuxLazySingleFq } from './linux-lazy-single-fq.ts';
import { linuxStrict } from './linux-strict.ts';
import { perPage } from './per-page.ts';
import { persistent } from './persistent.ts';

/** Every design, by file. A new one is its file and a line here. */
export const DESIGNS: readonly DesignFactory[] = [
  linuxStrict,
  linuxLazy,
  linuxLazySingleFq,
  perPage,
  keepWalkCaches,
  contiguousIova,
  contiguousIovaOnly,
  batchN,
  persistent,
  hugeIopte,
];

/** A row of a comparison: a design, and the values of its parameters that its name carries. */
export interface NamedDesign {
  /** As it was asked for: `batch-n@32`. */
  readonly name: string;
  readonly design: DesignFactory;
  readonly given: ReadonlyMap<string, number>;
}

/** The design of a name; undefined if there is none. */
export function findDesign(name: string, designs: readonly DesignFactory[] = DESIGNS): DesignFactory | undefined {
  return designs.find((design) => design.name === name);
}

/** The design of a row; `name@value` sets its first parameter. Undefined where there is none, or the value is out of range. */
export function namedDesign(name: string, designs: readonly DesignFactory[] = DESIGNS): NamedDesign | undefined {
  const [base, value] = parted(name);
  const design = designs.find((one) => one.name === base);
  if (design === undefined || value === undefined) {
    return design === undefined ? undefined : { name, design, given: new Map() };
  }
  const parameter = design.parameters[0];
  const number = Number(value);
  if (parameter === undefined || value.trim() === '' || !inRange(number, parameter.range)) return undefined;
  if (isCounted(parameter.unit) && !Number.isInteger(number)) return undefined;
  return { name, design, given: new Map([[parameter.name, number]]) };
}

/** `batch-n@8@9` has a value that is no number: what stands behind the first @ is the value. */
function parted(name: string): readonly [string, string | undefined] {
  const at = name.indexOf('@');
  return at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
}

/** Why `namedDesign` found nothing: a sentence and the next step. */
export function designTrouble(name: string, designs: readonly DesignFactory[] = DESIGNS): readonly [string, string] {
  const [base, value] = parted(name);
  const known = designs.map((design) => design.name);
  const design = designs.find((one) => one.name === base);
  if (design === undefined) {
    const near = nearest(base, known);
    return [
      `unknown design '${base}'; known: ${known.join(', ')}`,
      near === undefined
        ? 'iorr compare --help lists them; a file is named with its folder: ./mine.js'
        : `did you mean '${near}'?`,
    ];
  }
  const parameter = design.parameters[0];
  if (parameter === undefined)
    return [`design '${base}' has no parameter that @${value ?? ''} could set`, `say ${base}`];
  const [low, high] = rangeOf(parameter.range);
  return [
    `'${name}': ${parameter.name} takes a ${isCounted(parameter.unit) ? 'whole ' : ''}number from ${low} to ${high}`,
    `for example ${base}@${parameter.value}`,
  ];
}

const WIDEST: readonly [number, number] = [0, 0x7fff_ffff];

export function rangeOf(range: readonly [number, number] | undefined): readonly [number, number] {
  return range ?? WIDEST;
}

function inRange(value: number, range: readonly [number, number] | undefined): boolean {
  const [low, high] = rangeOf(range);
  return Number.isFinite(value) && value >= low && value <= high;
}

/** Values of a design's parameters: those given, else its defaults. Names that the design does not have are ignored. */
export function designParameters(
  design: DesignFactory,
  given: ReadonlyMap<string, number> = new Map(),
): (name: string) => number {
  return (name) => {
    const value = given.get(name) ?? design.parameters.find((parameter) => parameter.name === name)?.value;
    if (value === undefined) throw new RangeError(`design ${design.name} has no parameter ${name}`);
    return value;
  };
}

/** The parameters that a comparison of these designs rests on, with the values that were given; `batch-n@32` has its own. */
export function designParameterTable(
  rows: readonly string[],
  given: ReadonlyMap<string, number>,
  designs: readonly DesignFactory[] = DESIGNS,
): readonly ProfileParameter[] {
  return rows.flatMap((text) => {
    const row = namedDesign(text, designs);
    return (row?.design.parameters ?? []).map((parameter): ProfileParameter => {
      const { name, unit, source, standing } = parameter;
      const value = row?.given.get(name) ?? given.get(name);
      const full = row === undefined ? name : name.replace(row.design.name, row.name);
      return value === undefined
        ? { name: full, value: parameter.value, unit, source, standing }
        : { name: full, value, unit, source: 'set by the user', standing: 'assumed' };
    });
  });
}
