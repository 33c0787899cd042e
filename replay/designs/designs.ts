import type { ProfileParameter } from '../results.ts';
import type { DesignFactory } from './design.ts';
import { linuxLazy } from './linux-lazy.ts';
import { linuxStrict } from './linux-strict.ts';

/** Every design, by file. A new one is its file and a line here. */
export const DESIGNS: readonly DesignFactory[] = [linuxStrict, linuxLazy];

export function findDesign(name: string): DesignFactory | undefined {
  return DESIGNS.find((design) => design.name === name);
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

/** The parameters that a comparison of these designs rests on, with the values that were given. */
export function designParameterTable(
  names: readonly string[],
  given: ReadonlyMap<string, number>,
): readonly ProfileParameter[] {
  return DESIGNS.filter((design) => names.includes(design.name)).flatMap((design) =>
    design.parameters.map((parameter): ProfileParameter => {
      const value = given.get(parameter.name);
      return value === undefined ? parameter : { ...parameter, value, source: 'set by the user', standing: 'assumed' };
    }),
  );
}
